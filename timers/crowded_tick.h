// CrowdedTick: a tick of the timer wheel that holds many entries, put in order a bounded part at a time.

#pragma once

#include <cstdint>
#include <deque>

#include <escapement/timers/block.h>
#include <escapement/timers/entry.h>

namespace escapement::detail {

// A heap of the tick's entries. It keeps their blocks, and so their cells: an entry that is destroyed empties
// its cell, one that is armed anew has another order, and either way the heap notices when its turn comes. (A
// deque, because a vector of a million would move them all at once when it grows.)
class CrowdedTick {
 public:
  CrowdedTick() = default;
  CrowdedTick(const CrowdedTick&) = delete;
  // The entries have been told.
  ~CrowdedTick() {
    while (Block* block = Block::at(blocks_)) block->release();
  }

  // Takes the block out of the list it is in. Its cells are added one by one.
  void adopt(Block& block);
  void add(TimerCell& cell);

  bool empty() const { return heap_.empty(); }
  // The cell that is due first.
  TimerCell& top() const { return *heap_.front().cell; }
  Instant deadline() const { return Instant::from_nanoseconds(heap_.front().deadline); }
  // Whether the entry for which it was added is still there as it was.
  bool top_is_current() const {
    const TimerEntry* entry = *heap_.front().cell;
    return entry != nullptr && entry->armed() && entry->order() == heap_.front().order;
  }
  void pop();

  BlockLink& blocks() { return blocks_; }
  std::size_t memory() const { return heap_.size() * sizeof(Item); }

 private:
  struct Item {
    std::int64_t deadline;
    TimerCell* cell;
    std::uint32_t order;
  };
  static bool later(const Item& a, const Item& b) {
    if (a.deadline != b.deadline) return a.deadline > b.deadline;
    return static_cast<std::int32_t>(a.order - b.order) > 0;
  }

  std::deque<Item> heap_;
  BlockLink blocks_ = 0;
};

}  // namespace escapement::detail
