#include <escapement/timers/block.h>

#include <algorithm>
#include <new>

#include <escapement/core/check.h>

namespace escapement::detail {

void Block::give_back() {
  unlink();
  CellPool::slab_of(this)->pool->put_back(this);
}

CellPool::~CellPool() {
  while (partial_ != nullptr) {
    ESC_CHECK(partial_->used == 0);
    free_slab(partial_);
  }
  ESC_CHECK(memory_ == 0);
}

Block* CellPool::take() {
  if (partial_ == nullptr) add_slab();
  Slab* slab = partial_;
  Block* block = Block::at(slab->free);
  slab->free = block->link_;
  block->link_ = 0;
  if (slab->used++ == 0) --empty_slabs_;
  if (slab->free == 0) unlink_slab(slab);
  return block;
}

void CellPool::put_back(Block* block) {
  Slab* slab = slab_of(block);
  if (slab->free == 0) link_slab(slab);
  block->link_ = slab->free;
  slab->free = reinterpret_cast<BlockLink>(block);
  if (--slab->used > 0) return;
  if (++empty_slabs_ > 1) free_slab(slab);
}

void CellPool::free_slab(Slab* slab) {
  const auto begin = reinterpret_cast<std::uintptr_t>(slab);
  if (reinterpret_cast<std::uintptr_t>(watched) - begin < slab->bytes) watched = nullptr;
  unlink_slab(slab);
  memory_ -= slab->bytes;
  --empty_slabs_;
  ::operator delete(slab->piece);
}

// An eighth of what there is, up to a bound. Aligned by hand, for a page too much: aligned pieces are what an
// allocator is worst at. Its blocks come in the order of their addresses.
void CellPool::add_slab() {
  const std::size_t pages = std::clamp<std::size_t>(memory_ / 8 / page_size, 1, pages_max);
  const std::size_t size = pages * page_size;
  void* piece = ::operator new(size + page_size - Block::size);
  const std::uintptr_t end_of_gap = reinterpret_cast<std::uintptr_t>(piece) + page_size - 1;
  auto* bytes = reinterpret_cast<std::byte*>(end_of_gap & ~(page_size - 1));
  Slab* slab =
      ::new (bytes) Slab{nullptr, this, nullptr, nullptr, 0, piece, 0, static_cast<std::uint32_t>(size)};
  for (std::size_t at = size; at > 0;) {
    at -= Block::size;
    if (at % page_size == 0) {
      reinterpret_cast<PageHeader*>(bytes + at)->slab = slab;
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

void CellPool::link_slab(Slab* slab) {
  slab->previous = nullptr;
  slab->next = partial_;
  if (partial_ != nullptr) partial_->previous = slab;
  partial_ = slab;
}

void CellPool::unlink_slab(Slab* slab) {
  (slab->previous != nullptr ? slab->previous->next : partial_) = slab->next;
  if (slab->next != nullptr) slab->next->previous = slab->previous;
}

}  // namespace escapement::detail
