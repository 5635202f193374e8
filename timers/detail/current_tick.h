// CurrentTick: the entries of the tick that the wheel's clock is in, in firing order.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <escapement/timers/detail/block.h>
#include <escapement/timers/entry.h>

namespace escapement::detail {

// A binary heap. Its items remember the deadline and order with which an entry came in, and point at the cell
// where the entry stands. An entry that is destroyed empties the cell, one that is armed anew has another
// order; either shows when the item's turn comes. Stored in pages, because a vector of a million would move
// them all at once when it grows.
class CurrentTick {
 public:
  bool empty() const { return size_ == 0; }
  void add(TimerEntry& entry);
  // Returns the cell of the entry that fires first; null in it if the entry is gone. There is nothing to fire
  // then, nor unless `top_is_current`.
  TimerCell& top() const { return *first().cell; }
  Instant deadline() const { return Instant::from_nanoseconds(first().deadline); }
  // Returns whether the top's entry is there as it was when it came in.
  bool top_is_current() const {
    const TimerEntry* entry = top();
    return entry != nullptr && entry->armed() && entry->order() == first().order;
  }
  // Removes and returns the top; null if it is gone.
  TimerEntry* pop();
  // Gives back unneeded memory, a part of it in each call.
  void trim();

  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < size_; ++i) visit(*at(i).cell);
  }
  std::size_t memory() const { return pages_.size() * sizeof(Page); }

 private:
  struct Item {
    std::int64_t deadline;
    TimerCell* cell;  // in an item behind the heap's last one, up to used_: a free cell
    std::uint32_t order;
  };
  static constexpr std::size_t page_items = 64;
  struct Page {
    Item items[page_items];
    TimerCell cells[page_items];
  };
  static bool before(const Item& a, const Item& b) {
    if (a.deadline != b.deadline) return a.deadline < b.deadline;
    return static_cast<std::int32_t>(a.order - b.order) < 0;
  }
  const Item& first() const { return pages_[0]->items[0]; }
  Item& at(std::size_t i) { return pages_[i / page_items]->items[i % page_items]; }
  std::vector<std::unique_ptr<Page>> pages_;
  std::size_t size_ = 0;
  std::size_t used_ = 0;  // the most it has held since it was empty
};

}  // namespace escapement::detail
