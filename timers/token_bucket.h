// TokenBucket: limits how often something happens, by tokens that come at a steady rate.
//
//     static TokenBucket calls({.per_second = 10, .burst = 20});
//     co_await calls.take();
//
// It may be shared by the requests of a Worker's isolate, each of which has a reactor of its own.

#pragma once

#include <algorithm>
#include <cstdint>

#include <escapement/core/detail/check.h>
#include <escapement/core/event.h>
#include <escapement/core/list.h>
#include <escapement/timers/timeout.h>

namespace escapement {

// The numbers of a bucket.
class TokenBucketOptions {
 public:
  double per_second = 10;          // tokens that come in a second; greater than zero (checked)
  double burst = 20;               // tokens that the bucket holds, full at first; at least 1 (checked)
  std::size_t waiting_max = 1000;  // tasks that wait; more fail
  // The interval at which a task that waits looks for itself: as in SingleFlightOptions. One that has not
  // looked for ten times as long was dropped by its host, and holds nobody up.
  Duration poll = 50ms;
};

// Tasks get their tokens first come, first served. One that is cancelled while it waits takes none, and the
// next one moves up. All reactors that use it must be of one thread and one clock.
class TokenBucket {
 public:
  // Makes a full bucket.
  explicit TokenBucket(TokenBucketOptions options = TokenBucketOptions())
      : options_(options), tokens_(options.burst) {
    ESC_CHECK(options.per_second > 0 && options.burst >= 1, "a TokenBucket without tokens");
  }
  TokenBucket(const TokenBucket&) = delete;

  // Waits for a token, and takes it. Fails with `overloaded` if `waiting_max` tasks wait already.
  Task<> take() {
    Reactor& reactor = co_await this_reactor;
    if (try_take(reactor)) co_return;
    if (waiting_count_ >= options_.waiting_max) {
      co_await Error(Errc::overloaded, "too many tasks wait for tokens");
    }
    Waiter self(*this, reactor);
    for (;;) {
      self.looked = reactor.precise_now();
      if (first(self) && take_token(self.looked)) co_return;
      const Duration wait = std::min(options_.poll, first(self) ? until_token(self.looked) : Duration::max());
      Result<> woken = co_await with_timeout(wait, self.moved_up.wait()).result();
    }
  }
  // Takes a token if there is one that nobody waits for. Returns whether it did.
  bool try_take(Reactor& reactor) {
    const Instant now = reactor.precise_now();
    return !anybody_before(nullptr, now) && take_token(now);
  }

  // Returns the number of tasks that wait.
  std::size_t waiting() const { return waiting_count_; }

 private:
  struct Waiter : ListNode {
    Waiter(TokenBucket& b, Reactor& reactor) : bucket(b), looked(reactor.precise_now()) {
      bucket.waiting_.push_back(*this);
      ++bucket.waiting_count_;
    }
    Waiter(const Waiter&) = delete;
    ~Waiter() {
      unlink();
      --bucket.waiting_count_;
      if (!bucket.waiting_.empty()) bucket.waiting_.front().moved_up.pulse();
    }
    TokenBucket& bucket;
    Instant looked;
    Event moved_up;
  };

  bool first(const Waiter& self) { return !anybody_before(&self, self.looked); }
  // Returns whether a task that is still there waits in front of `self`; at all, if that is null.
  bool anybody_before(const Waiter* self, Instant now) {
    for (Waiter& waiter : waiting_) {
      if (&waiter == self) return false;
      if (now < waiter.looked + options_.poll * 10) return true;
    }
    return false;
  }
  bool take_token(Instant now) {
    if (now > filled_)
      tokens_ = std::min(options_.burst, tokens_ + (now - filled_).seconds() * options_.per_second);
    filled_ = std::max(filled_, now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  Duration until_token(Instant now) const {
    const double missing = 1 - tokens_ - (now - filled_).seconds() * options_.per_second;
    return Duration::nanoseconds(1) +
           Duration(std::chrono::duration<double>(std::max(0.0, missing) / options_.per_second));
  }

  TokenBucketOptions options_;
  double tokens_;
  Instant filled_;  // when `tokens_` was counted
  List<Waiter> waiting_;
  std::size_t waiting_count_ = 0;
};

}  // namespace escapement
