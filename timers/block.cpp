#include <escapement/timers/block.h>

#include <new>

#include <escapement/core/check.h>

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
  ESC_CHECK(slab_count_ == 0);
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
  if (reinterpret_cast<std::uintptr_t>(watched) - begin < slab_size) watched = nullptr;
  unlink_slab(slab);
  ::operator delete(slab, std::align_val_t(slab_alignment));
  --slab_count_;
  --empty_slabs_;
}

// Its blocks in the order of their addresses, which is the order in which they are then read.
void BlockPool::add_slab() {
  auto* bytes = static_cast<std::byte*>(::operator new(slab_size, std::align_val_t(slab_alignment)));
  Slab* slab = ::new (bytes) Slab{this, nullptr, nullptr, 0, 0};
  for (int i = blocks_per_slab; i > 0; --i) {
    Block* block = ::new (bytes + i * Block::size) Block;
    for (TimerCell& cell : block->cells) cell = nullptr;
    block->link_ = slab->free;
    slab->free = reinterpret_cast<BlockLink>(block);
  }
  ++slab_count_;
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
