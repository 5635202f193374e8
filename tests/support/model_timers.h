// The model that the timer wheel is compared with: a sorted list, so plain that reading it is the proof.

#pragma once

#include <algorithm>
#include <vector>

#include <escapement/core/reactor.h>

namespace escapement::test {

// Keeps every entry in one vector, in the order in which they are to fire. Every operation but `next`
// takes time in proportion to the number of entries.
class ModelTimers final : public TimerQueue {
 public:
  void insert(TimerEntry& entry) override {
    auto place = entries_.begin();
    while (place != entries_.end() && (*place)->deadline() <= entry.deadline()) ++place;
    entries_.insert(place, &entry);
  }

  void remove(TimerEntry& entry) override {
    const auto place = std::find(entries_.begin(), entries_.end(), &entry);
    ESC_CHECK(place != entries_.end());
    entries_.erase(place);
  }

  Instant next() override { return entries_.empty() ? Instant::never() : entries_.front()->deadline(); }

  void advance(Instant now, List<Runnable>& due) override {
    while (!entries_.empty() && entries_.front()->deadline() <= now) {
      TimerEntry* first = entries_.front();
      entries_.erase(entries_.begin());
      first->expire(due);
    }
  }

  std::size_t size() const { return entries_.size(); }
  // In the order in which they are to fire.
  const std::vector<TimerEntry*>& entries() const { return entries_; }

 private:
  std::vector<TimerEntry*> entries_;
};

}  // namespace escapement::test
