#include <escapement/timers/detail/block.h>

#include <algorithm>
#include <new>

#include <escapement/core/detail/check.h>

namespace escapement::detail {

void Block::give_back() {
  unlink();
  BlockPool::slab_of(this)->pool->put_back(this);
}

BlockPool::~BlockPool() {
  while (partial_ != nullptr) {
    ESC_CHECK(partial_->used == 0);
    free_slab(partial_);
  }
  ESC_CHECK(memory_ == 0);
}

Block* BlockPool::take() {
  if (partial_ == nullptr) add_slab();
  Slab* slab = partial_;
  Block* block = Block::at(slab->free);
  slab->free = block->link_;
  block->link_ = 0;
  if (slab->used++ == 0) --empty_slabs_;
  if (slab->free == 0) unlink_slab(slab);
  return block;
}

void BlockPool::put_back(Block* block) {
  Slab* slab = slab_of(block);
  if (slab->free == 0) link_slab(slab);
  block->link_ = slab->free;
  slab->free = reinterpret_cast<BlockLink>(block);
  if (--slab->used > 0) return;
  if (++empty_slabs_ > 1) free_slab(slab);
}

void BlockPool::free_slab(Slab* slab) {
  const auto begin = reinterpret_cast<std::uintptr_t>(slab);
  if (reinterpret_cast<std::uintptr_t>(watched) - begin < slab->bytes) watched = nullptr;
  unlink_slab(slab);
  memory_ -= slab->bytes;
  --empty_slabs_;
  ::operator delete(slab, std::align_val_t(page_size));
}

// Adds an eighth of what there is, up to a bound, and a little less than whole pages, so that malloc's header
// of an aligned block fits in between. The blocks are handed out in the order of their addresses.
void BlockPool::add_slab() {
  const std::size_t pages = std::clamp<std::size_t>(memory_ / 8 / page_size, 1, pages_max);
  const std::size_t size = pages * page_size - Block::size;
  auto* bytes = static_cast<std::byte*>(::operator new(size, std::align_val_t(page_size)));
  Slab* slab = ::new (bytes) Slab{nullptr, this, nullptr, nullptr, 0, 0, static_cast<std::uint32_t>(size)};
  for (std::size_t at = size - Block::size;; at -= Block::size) {
    if (at % page_size == 0) {
      if (at != 0) ::new (bytes + at) PageHeader{};
      reinterpret_cast<PageHeader*>(bytes + at)->slab = slab;
      if (at == 0) break;
      continue;
    }
    Block* block = ::new (bytes + at) Block;
    for (TimerCell& cell : block->cells) cell = nullptr;
    block->link_ = slab->free;
    slab->free = reinterpret_cast<BlockLink>(block);
  }
  memory_ += size;
  ++empty_slabs_;
  link_slab(slab);
}

void BlockPool::link_slab(Slab* slab) {
  slab->previous = nullptr;
  slab->next = partial_;
  if (partial_ != nullptr) partial_->previous = slab;
  partial_ = slab;
}

void BlockPool::unlink_slab(Slab* slab) {
  (slab->previous != nullptr ? slab->previous->next : partial_) = slab->next;
  if (slab->next != nullptr) slab->next->previous = slab->previous;
}

}  // namespace escapement::detail
