// ReceiveBuffer: the receiving half of an in-process connection. What pipe.cpp and sim_network.cpp share.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/event.h>

namespace escapement::detail {

// Bytes that have arrived and that nobody has read, and how the sequence ended. Whoever changes it wakes
// whoever waits on the other side.
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

  // No more bytes will come.
  void end() {
    ended = true;
    something_arrived();
  }
  // Everything is lost, in both directions.
  void reset() {
    write_closed = true;
    bytes_.clear();
    taken_ = 0;
    something_arrived();
    drained_.pulse();
  }

  // `next` becomes ready, once, when something arrives; null: nobody waits. Not while somebody reads.
  void watch(Reactor& reactor, Runnable* next) {
    ESC_CHECK(!reading_);  // the same rule as a socket's
    reactor_ = &reactor;
    watcher_ = next;
  }

  void forget_watcher() { watcher_ = nullptr; }

  // A wait for one of the two events below, as long as it lives. Checked, as for a socket: one reader and one
  // writer at a time, and nobody watches while somebody reads.
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
  // Whoever waits for room looks again.
  void pulse_writer() { drained_.pulse(); }

  bool ended = false;
  bool write_closed = false;

 private:
  void something_arrived() {
    arrived_.pulse();
    if (watcher_ != nullptr) reactor_->ready(*std::exchange(watcher_, nullptr));
  }

  Event arrived_;  // for the reader: bytes, the end or a reset
  Event drained_;  // for the writer on the other side: there is room, or no hope of any
  bool reading_ = false;
  bool writing_ = false;
  Reactor* reactor_ = nullptr;
  Runnable* watcher_ = nullptr;
  std::string bytes_;
  std::size_t taken_ = 0;
};

}  // namespace escapement::detail
