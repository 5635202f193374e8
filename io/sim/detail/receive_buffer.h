// ReceiveBuffer: the receiving half of an in-process connection, shared by pipes and the simulated network.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/event.h>

namespace escapement::detail {

// Bytes that have arrived and are unread, and how the sequence ended. A change wakes the waiter on the other
// side.
class ReceiveBuffer {
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
    drained_.pulse();
    return count;
  }

  // Ends the sequence: no more bytes will come.
  void end() {
    ended = true;
    something_arrived();
  }
  // Drops everything, in both directions.
  void reset() {
    write_closed = true;
    bytes_.clear();
    taken_ = 0;
    something_arrived();
    drained_.pulse();
  }

  // Makes `next` ready, once, when something arrives; null clears it. Must not be called during a read.
  void watch(Reactor& reactor, Runnable* next) {
    ESC_CHECK(!reading_);  // the same rule as a socket's
    reactor_ = &reactor;
    watcher_ = next;
  }

  void forget_watcher() { watcher_ = nullptr; }

  // A wait for one of the two events below, as long as it lives. Checked, as for a socket: at most one reader
  // and one writer at a time, and no watch during a read.
  class Waiting {
   public:
    Waiting(const Waiting&) = delete;
    ~Waiting() { flag_ = false; }
    Event::Wait wait() { return event_.wait(); }

   private:
    friend class ReceiveBuffer;
    Waiting(bool& flag, Event& event) : flag_(flag), event_(event) {
      ESC_CHECK(!flag_);
      flag_ = true;
    }
    bool& flag_;
    Event& event_;
  };
  Waiting reads() {
    ESC_CHECK(watcher_ == nullptr);
    return Waiting(reading_, arrived_);
  }
  Waiting writes() { return Waiting(writing_, drained_); }
  // Makes the writer that waits for room look again.
  void pulse_writer() { drained_.pulse(); }

  bool ended = false;
  bool write_closed = false;

 private:
  void something_arrived() {
    arrived_.pulse();
    if (watcher_ != nullptr) reactor_->ready(*std::exchange(watcher_, nullptr));
  }

  Event arrived_;  // for the reader: bytes, the end or a reset
  Event drained_;  // for the writer on the other side: there is room, or never will be
  bool reading_ = false;
  bool writing_ = false;
  Reactor* reactor_ = nullptr;
  Runnable* watcher_ = nullptr;
  std::string bytes_;
  std::size_t taken_ = 0;
};

}  // namespace escapement::detail
