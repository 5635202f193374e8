// CurrentTick: the entries of the tick that the wheel's clock is in, in the order in which they fire.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <escapement/timers/detail/block.h>
#include <escapement/timers/entry.h>

namespace escapement::detail {

// A binary heap. Its items remember for which deadline and order an entry came in, and point at the cell
// where the entry stands; an entry that is destroyed empties the cell, one that is armed anew has another
// order, and either way that shows when the item's turn comes. It comes in pages, because a vector of a
// million would move them all at once when it grows.
class CurrentTick {
 public:
  bool empty() const { return size_ == 0; }
  void add(TimerEntry& entry);
  // What fires first: null if it is gone. Then, and if it is not `top_is_current`, there is nothing to fire.
  TimerCell& top() const { return *first().cell; }
  Instant deadline() const { return Instant::from_nanoseconds(first().deadline); }
  // Whether the top's entry is there as it was when it came in.
  bool top_is_current() const {
    const TimerEntry* entry = top();
    return entry != nullptr && entry->armed() && entry->order() == first().order;
  }
  // Takes the top out; null if it is gone.
  TimerEntry* pop();
  // Gives back memory that nothing needs now: a part of it in each call.
  void trim();

  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < size_; ++i) visit(*at(i).cell);
  }
  std::size_t memory() const { return pages_.size() * sizeof(Page); }

 private:
  struct Item {
    std::int64_t deadline;
    TimerCell* cell;  // behind the heap's last item, up to used_: a free one
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
