// Inbox: the receiving half of an in-process connection. What pipe.cpp and sim_network.cpp share.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/event.h>

namespace escapement::detail {

// Bytes that have arrived and that nobody has read, and how the sequence ended. Whoever changes it pulses
// the event that the other side waits for.
class Inbox {
 public:
  std::size_t size() const { return bytes_.size() - taken_; }

  void put(Bytes bytes) {
    bytes_.append(as_text(bytes));
    something_arrived();
  }

  // Moves up to `into.size()` bytes; returns how many.
  std::size_t take(MutableBytes into) {
    const std::size_t count = std::min(into.size(), size());
    if (count == 0) return 0;
    std::memcpy(into.data(), bytes_.data() + taken_, count);
    taken_ += count;
    if (taken_ == bytes_.size()) {
      bytes_.clear();
      taken_ = 0;
    } else if (taken_ > bytes_.size() / 2) {
      bytes_.erase(0, taken_);
      taken_ = 0;
    }
    drained.pulse();
    return count;
  }

  // No more bytes will come.
  void end() {
    ended = true;
    something_arrived();
  }
  // Everything is lost, in both directions.
  void reset() {
    broken = true;
    bytes_.clear();
    taken_ = 0;
    something_arrived();
    drained.pulse();
  }

  // `next` becomes ready, once, when something arrives; null: nobody waits.
  void watch(Reactor& reactor, Runnable* next) {
    reactor_ = &reactor;
    watcher_ = next;
  }

  void forget_watcher() { watcher_ = nullptr; }

  bool ended = false;
  bool broken = false;
  Event arrived;  // for the reader: bytes, the end or a reset
  Event drained;  // for the writer on the other side: there is room, or no hope of any

 private:
  void something_arrived() {
    arrived.pulse();
    if (watcher_ != nullptr) reactor_->ready(*std::exchange(watcher_, nullptr));
  }

  Reactor* reactor_ = nullptr;
  Runnable* watcher_ = nullptr;
  std::string bytes_;
  std::size_t taken_ = 0;
};

}  // namespace escapement::detail
