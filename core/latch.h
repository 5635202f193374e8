// Latch: lets tasks wait until a number of things have happened. Counts down once.
//
//     Latch ready(3);
//     for (int i = 0; i < 3; ++i) scope.spawn(start_part(i, ready));  // each ends in ready.count_down()
//     co_await ready.wait();

#pragma once

#include <cstddef>

#include <escapement/core/detail/check.h>
#include <escapement/core/event.h>

namespace escapement {

// Must outlive the operations on it. Destroying it leaves tasks that wait suspended for ever (event.h).
class Latch {
 public:
  // A latch of 0 is open from the start.
  explicit Latch(std::size_t count) : left_(count) {
    if (count == 0) open_.set();
  }

  // Counts down by `by`, which must not be more than what is left (checked). At zero the latch opens for good
  // and the tasks that wait become ready, in the order in which they began to.
  void count_down(std::size_t by = 1) {
    ESC_CHECK(by <= left_, "a Latch was counted down below zero");
    left_ -= by;
    if (left_ == 0) open_.set();
  }

  // Waits until the count is zero. An operation (task.h) that cannot fail; cancelling it does not change the
  // count.
  Event::Wait wait() { return open_.wait(); }
  bool open() const { return left_ == 0; }
  // Returns how much is left to count down.
  std::size_t left() const { return left_; }

 private:
  std::size_t left_;
  Event open_;
};

}  // namespace escapement
