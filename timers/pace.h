// throttle and debounce: the values of an async sequence at another pace.
//
//     auto samples = throttle(read_sensor(), 100ms);            // each value, at most ten a second
//     auto searches = debounce(std::move(keystrokes), 300ms);   // only the last one before a pause
//     while (std::optional<std::string> text = co_await searches.next()) co_await search(*text);
//
// Both are sequences again (core/sequence.h) and need no task of their own: they work while their next() is
// awaited. Cancelling that loses no value if cancelling the source's next() loses none, as with a Generator.
// A temporary or moved source is kept inside, an lvalue is used where it stands and must live longer. Neither
// may be moved while a next() runs; one next() at a time.

#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <escapement/core/combine.h>
#include <escapement/core/sequence.h>
#include <escapement/timers/sleep.h>

namespace escapement {

// The sequence that `throttle` returns. `S` is a reference where the caller keeps the source.
template <class S>
class Throttle {
 public:
  using Value = SequenceValue<S>;

  // Made by `throttle`.
  Throttle(S source, Duration interval) : source_(std::forward<S>(source)), interval_(interval) {}

  // Waits for the source's next value, then until the interval has passed. Yields nullopt at the source's
  // end, and fails as the source does, both without delay.
  Task<std::optional<Value>> next() {
    Reactor& reactor = co_await this_reactor;
    if (!held_) {
      std::optional<Value> value = co_await detail::next_of(source_);
      if (!value) co_return std::nullopt;
      held_ = std::move(value);
    }
    if (open_at_ > reactor.precise_now()) co_await sleep_until(open_at_);
    open_at_ = reactor.precise_now() + interval_;
    co_return std::exchange(held_, std::nullopt);
  }

 private:
  S source_;
  Duration interval_;
  Instant open_at_;            // no value leaves before this
  std::optional<Value> held_;  // taken from the source, not handed on yet
};

// Slows `source` down: yields every value, in order, and each one at least `interval` after the last one was
// handed over, never earlier. The first is not delayed. The source is asked for one value at a time, so it
// waits meanwhile, and nothing is buffered or dropped. Zero or less does not slow it down.
template <class S>
  requires AsyncSequence<std::remove_reference_t<S>>
Throttle<S> throttle(S&& source, Duration interval) {
  return Throttle<S>(std::forward<S>(source), interval);
}

// The sequence that `debounce` returns. `S` is a reference where the caller keeps the source.
template <class S>
class Debounce {
 public:
  using Value = SequenceValue<S>;

  // Made by `debounce`.
  Debounce(S source, Duration quiet) : source_(std::forward<S>(source)), quiet_(quiet) {}
  Debounce(Debounce&&) noexcept = default;
  // Reports a failure of the source that no next() has taken (Reactor::on_unhandled_failure).
  ~Debounce() {
    if (failure_) failure_->held.lose(failure_->error);
  }

  // Waits for a value, and then until the source has been quiet. Yields nullopt at the source's end, and
  // fails as the source does.
  Task<std::optional<Value>> next() {
    Reactor& reactor = co_await this_reactor;
    if (failure_) co_await take_failure();
    if (!latest_) {
      std::optional<Value> first = co_await detail::next_of(source_);
      if (!first) co_return std::nullopt;
      note(reactor, std::move(first));
    }
    for (;;) {
      Result<Event> event = co_await select(detail::next_of(source_), sleep_until(due_)).result();
      if (!event) failure_ = std::make_unique<Failure>(reactor, std::move(event).error());
      if (failure_ || event->index() == 1) break;
      std::optional<Value>& later = std::get<0>(*event);
      if (!later) break;
      note(reactor, std::move(later));
    }
    co_return std::exchange(latest_, std::nullopt);
  }

 private:
  using Event = std::variant<std::optional<Value>, std::monostate>;
  struct Failure {
    Failure(Reactor& reactor, Error e) : error(std::move(e)), held(reactor) {}
    Error error;
    detail::HeldFailure held;
  };

  void note(Reactor& reactor, std::optional<Value> value) {
    latest_ = std::move(value);
    due_ = reactor.precise_now() + quiet_;
  }
  Error take_failure() {
    const std::unique_ptr<Failure> failure = std::move(failure_);
    return std::move(failure->error);
  }

  S source_;
  Duration quiet_;
  std::optional<Value> latest_;
  Instant due_;                       // of latest_, if no other value comes before
  std::unique_ptr<Failure> failure_;  // comes after latest_, which was handed over
};

// Drops each value that another one follows within `quiet`: yields a value when the source has been silent
// for that long since, never earlier. At the source's end, or failure, the value that still waits is yielded
// at once, and the end or the failure comes after it. A source that is never silent for so long yields
// nothing.
//
// The time counts from the moment at which a next() received the value. Values that come while no next()
// is awaited stay in the source, and the following next() reads them all before it decides.
template <class S>
  requires AsyncSequence<std::remove_reference_t<S>>
Debounce<S> debounce(S&& source, Duration quiet) {
  return Debounce<S>(std::forward<S>(source), quiet);
}

}  // namespace escapement
