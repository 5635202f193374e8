#include <escapement/timers/detail/current_tick.h>

namespace escapement::detail {

// Sifts the entry up the heap: the item at i fires before those at 2 i + 1 and 2 i + 2.
void CurrentTick::add(TimerEntry& entry) {
  if (size_ == pages_.size() * page_items) pages_.push_back(std::make_unique_for_overwrite<Page>());
  std::size_t hole = size_++;
  if (hole == used_) at(used_++).cell = &pages_[hole / page_items]->cells[hole % page_items];
  const Item added{entry.deadline().nanoseconds(), at(hole).cell, entry.order()};
  entry.stand_in(*added.cell, TimerEntry::in_slot);
  for (std::size_t above; hole > 0 && before(added, at(above = (hole - 1) / 2)); hole = above) {
    at(hole) = at(above);
  }
  at(hole) = added;
}

TimerEntry* CurrentTick::pop() {
  TimerCell* const freed = first().cell;
  const Item last = at(--size_);
  at(size_).cell = freed;
  std::size_t hole = 0;
  for (std::size_t child; (child = 2 * hole + 1) < size_; hole = child) {
    if (child + 1 < size_ && before(at(child + 1), at(child))) ++child;
    if (!before(at(child), last)) break;
    at(hole) = at(child);
  }
  if (size_ > 0) {
    at(hole) = last;
  } else {
    used_ = 0;
  }
  TimerEntry* entry = *freed;
  if (entry != nullptr) entry->leave();
  return entry;
}

void CurrentTick::trim() {
  constexpr int at_once = 64;
  for (int i = 0; i < at_once && empty() && pages_.size() > 1; ++i) pages_.pop_back();
}

}  // namespace escapement::detail
