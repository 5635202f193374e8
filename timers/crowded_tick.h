// CrowdedTick: a tick of the timer wheel that holds many entries, put in order a bounded part at a time.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

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
  ~CrowdedTick() { finish(); }

  // Takes the block out of the list it is in. Its cells are added one by one.
  void adopt(Block& block);
  void add(TimerCell& cell);

  bool empty() const { return size_ == 0; }
  // The cell that is due first.
  TimerCell& top() const { return *first().cell; }
  Instant deadline() const { return Instant::from_nanoseconds(first().deadline); }
  // Whether the entry for which it was added is still there as it was.
  bool top_is_current() const {
    const TimerEntry* entry = top();
    return entry != nullptr && entry->armed() && entry->order() == first().order;
  }
  void pop();
  // The tick is over: gives back the blocks, and what memory the next one is not likely to need.
  void finish() {
    while (Block* block = Block::at(blocks_)) block->release();
    while (pages_.size() > 1) pages_.pop_back();
  }
  // Between the first block and `finish`.
  bool busy() const { return blocks_ != 0; }

  BlockLink& blocks() { return blocks_; }
  std::size_t memory() const { return pages_.size() * sizeof(Page); }

 private:
  struct Item {
    std::int64_t deadline;
    TimerCell* cell;
    std::uint32_t order;
  };
  static constexpr std::size_t page_items = 256;
  struct Page {
    Item items[page_items];
  };
  static bool before(const Item& a, const Item& b) {
    if (a.deadline != b.deadline) return a.deadline < b.deadline;
    return static_cast<std::int32_t>(a.order - b.order) < 0;
  }
  const Item& first() const { return pages_[0]->items[0]; }
  Item& at(std::size_t i) { return pages_[i / page_items]->items[i % page_items]; }

  std::vector<std::unique_ptr<Page>> pages_;
  std::size_t size_ = 0;
  BlockLink blocks_ = 0;
};

}  // namespace escapement::detail
