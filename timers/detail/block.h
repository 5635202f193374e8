// Blocks: hold the entries of a timer wheel, six to a cache line.
//
// A slot of the wheel is a list of blocks, and a block a row of cells that point at entries. Compared with a
// list through the entries themselves: firing and cascading stream through cells instead of chasing pointers
// through memory (five times faster with a million timers), an entry that leaves touches one line and no
// neighbours, and the cells can be read ahead. The price is eleven bytes an entry (five on wasm).
//
//     slot --> [back|link 3|a|b|c| | | ] <--> [back|link 6|d|e|f|g|h|i]        64 bytes each
//
// A block whose last entry leaves goes back to its pool at once, from wherever that happens: an entry knows
// its cell, a cell its block, a block its slab, a slab its pool, all by rounding addresses down.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace escapement {
class TimerEntry;
}

namespace escapement::detail {

using TimerCell = TimerEntry*;  // null: empty

class BlockPool;

// The address of the first block of a list. The low six bits of a block's own link hold its number of
// entries.
using BlockLink = std::uintptr_t;

class alignas(64) Block {
 public:
  static constexpr std::size_t size = 64;
  static constexpr int capacity = (size - 2 * sizeof(void*)) / sizeof(TimerCell);
  static constexpr BlockLink count_mask = size - 1;

  static Block* of(TimerCell& cell) {
    return reinterpret_cast<Block*>(reinterpret_cast<std::uintptr_t>(&cell) & ~(size - 1));
  }
  static Block* at(BlockLink link) { return reinterpret_cast<Block*>(link & ~count_mask); }

  // Empties a cell. A block whose last cell this was leaves its list and goes back to its pool.
  static void vacate(TimerCell& cell) {
    cell = nullptr;
    Block& block = *of(cell);
    --block.link_;
    if (block.count() == 0) block.give_back();
  }

  int count() const { return static_cast<int>(link_ & count_mask); }
  bool full() const { return count() == capacity; }
  Block* next() const { return at(link_); }

  // Returns a free cell and counts it as taken. The block must not be full.
  TimerCell& take_cell() {
    int i = count();  // if cells are emptied in the order they were filled, the first guess is right
    while (cells[i] != nullptr) i = i == 0 ? capacity - 1 : i - 1;
    ++link_;
    return cells[i];
  }

  // Puts the block at the front of the list that begins at `head`.
  void link_in(BlockLink& head) {
    back_ = &head;
    link_ = (head & ~count_mask) | (link_ & count_mask);
    if (Block* following = next()) following->back_ = &link_;
    head = reinterpret_cast<BlockLink>(this) | (head & count_mask);
  }
  void unlink() {
    *back_ = (*back_ & count_mask) | (link_ & ~count_mask);
    if (Block* following = next()) following->back_ = back_;
  }

  // Moves a whole list to `to`, which is empty.
  static void move_list(BlockLink& from, BlockLink& to) {
    to = std::exchange(from, 0);
    if (Block* first = at(to)) first->back_ = &to;
  }

  // Keeps the block from being given back while its cells are still to be looked at. A pin counts like an
  // entry.
  void pin() { ++link_; }
  void unpin() {
    --link_;
    if (count() == 0) give_back();
  }
  // Gives the block back with whatever it holds. Its entries have already left.
  void release() {
    for (TimerCell& cell : cells) cell = nullptr;
    link_ &= ~count_mask;
    give_back();
  }

  TimerCell cells[capacity];

 private:
  friend class BlockPool;
  void give_back();

  BlockLink* back_;  // the word that leads here: a slot's, or the link of the block before
  BlockLink link_;   // the block that follows, and the number of entries in this one
};
static_assert(sizeof(Block) == Block::size);

// Makes blocks, in slabs that it asks the system for: small ones first, then larger ones, because many small
// aligned pieces are what an allocator is worst at. Keeps one empty slab.
//
//     slab --> [header|b|b|b| ... |b]  [header|b|b| ... |b]  ...        pages of 8 KiB (4 on wasm), aligned
class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  // All blocks must be out of use.
  ~BlockPool();

  // Returns a block with no entries, in no list.
  Block* take();
  // Ensures that the next `take` needs no memory.
  void reserve() {
    if (partial_ == nullptr) add_slab();
  }

  std::size_t memory() const { return memory_; }

  // A cell that its owner will look at again, whatever becomes of it. Set to null when its slab is freed.
  TimerCell* watched = nullptr;

 private:
  friend class Block;
  static constexpr std::size_t page_size = 1024 * sizeof(void*);
  static constexpr std::size_t pages_max = 32;

  // The header at the beginning of a page. That of a slab's first page is the slab itself.
  struct alignas(64) PageHeader {
    PageHeader* slab;
    BlockPool* pool;
    PageHeader* next;  // in the list of slabs with free blocks
    PageHeader* previous;
    BlockLink free;       // the first free block of the slab
    std::uint32_t used;   // blocks
    std::uint32_t bytes;  // of the slab
  };
  static_assert(sizeof(PageHeader) == Block::size);
  using Slab = PageHeader;

  static Slab* slab_of(const void* block) {
    return reinterpret_cast<PageHeader*>(reinterpret_cast<std::uintptr_t>(block) & ~(page_size - 1))->slab;
  }
  void add_slab();
  void free_slab(Slab* slab);
  void put_back(Block* block);
  void link_slab(Slab* slab);
  void unlink_slab(Slab* slab);

  Slab* partial_ = nullptr;  // slabs with free blocks
  std::size_t memory_ = 0;
  std::size_t empty_slabs_ = 0;
};

}  // namespace escapement::detail
