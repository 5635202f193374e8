// A timer queue that is a plain list, so plain that reading it is the proof: what the reactor is also tested
// with, in the wheel's place.

#pragma once

#include <list>

#include <escapement/timers/entry.h>

namespace escapement::test {

// Looks at every entry each time.
class ListTimers final : public TimerQueue {
 public:
  ~ListTimers() override {
    for (TimerEntry* entry : cells_) {
      if (entry == nullptr) continue;
      entry->disarm();
      entry->forget_cell();
    }
  }

  void insert(TimerEntry& entry) override { entry.stand_in(cells_.emplace_back()); }

  Instant next() override {
    const TimerEntry* first = earliest();
    return first == nullptr ? Instant::never() : first->deadline();
  }

  void advance(Instant now, List<Runnable>& due) override {
    for (TimerEntry* first = earliest(); first != nullptr && first->deadline() <= now; first = earliest()) {
      first->leave();
      first->expire(due);
    }
  }

 private:
  TimerEntry* earliest() const {
    TimerEntry* first = nullptr;
    for (TimerEntry* entry : cells_) {
      if (entry == nullptr || !entry->armed()) continue;
      const bool before = first == nullptr || entry->deadline() < first->deadline() ||
                          (entry->deadline() == first->deadline() && entry->armed_before(*first));
      if (before) first = entry;
    }
    return first;
  }

  std::list<detail::TimerCell> cells_;
};

}  // namespace escapement::test
