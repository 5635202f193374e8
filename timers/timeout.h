// with_timeout: runs an operation under a time limit; the first of the two wins.

#pragma once

#include <string>
#include <utility>

#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/core/task.h>
#include <escapement/timers/entry.h>

namespace escapement {

namespace detail {

// Formats a length exactly, in the largest unit that needs no fraction: "250ms".
std::string text_of(Duration length);

// The name of a time limit, in the error when it expires.
struct LimitName {
  TimeLimit which;
  const char* missing;  // "no connection" within 10s; lives as long as the program
};
// Makes an error of kind Errc::timed_out: "no connection within 10s". The message names the limit, so that
// nested ones can be told apart.
Error timeout_error(LimitName name, Duration limit, Duration elapsed);

// with_timeout, with a name for the limit, which counts from `began` (never(): from this task's start).
template <class T>
Task<T> within(Duration limit, LimitName name, Task<T> task, Instant began = Instant::never()) {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  if (limit < Duration()) limit = Duration();
  if (began == Instant::never()) began = reactor.precise_now();
  const Instant deadline = began + limit;
  ChildTask<T> operation(std::move(task));
  operation.start(reactor, self);
  if (!operation.finished()) {
    const bool limited = deadline != Instant::never();
    TimerEntry timer;
    if (limited) timer.arm(reactor.timers(), deadline, self);
    while (!operation.finished() && timer.armed() == limited) co_await until_one_is_ready(operation);
  }
  if (!operation.finished()) {
    operation.cancel();
    co_await timeout_error(name, limit, reactor.precise_now() - began);
  }
  Result<T> outcome = operation.take();
  co_return co_await std::move(outcome);
}

}  // namespace detail

// Runs `task`. Yields its value, or fails with Errc::timed_out (TimeLimit::operation) when `limit` has passed
// since the returned task was started, never before. By then the task has been cancelled and its frame is
// gone.
//
// The task wins ties: one that finishes at once wins even against a limit of zero (no timer is touched then),
// and so does one that finishes in the turn in which the limit expires. Nested limits act independently, so
// the earliest one counts; its message says which. `Duration::max()` is no limit and arms no timer. Nothing
// is interrupted: the limit of a task that computes is checked only when it awaits.
template <class T>
Task<T> with_timeout(Duration limit, Task<T> task) {
  return detail::within(limit, {TimeLimit::operation, "nothing"}, std::move(task));
}

// Explain the mistakes: a number without a unit, and arguments in the other order.
template <class Number, class T>
  requires std::is_arithmetic_v<Number>
Task<> with_timeout(Number, T&&) {
  static_assert(detail::never<Number>,
                "a length of time needs a unit: with_timeout(10ms, task), with_timeout(2s, task)");
  co_return;
}
template <class T, std::convertible_to<Duration> Limit>
  requires(!std::convertible_to<T, Duration> && !std::is_arithmetic_v<T>)
Task<> with_timeout(T&&, Limit) {
  static_assert(detail::never<T>, "the limit comes first: with_timeout(2s, task)");
  co_return;
}

template <Operation O>
ESC_CORO_WRAPPER Task<typename O::Value> with_timeout(Duration limit, O operation) {
  return with_timeout(limit, detail::as_task(std::move(operation)));
}

// Runs `task` until `deadline`: with_timeout for several operations that share one deadline. Ties, nesting
// and failures are as there; the limit that the Error states is what was left until `deadline` when the
// returned task was started, zero if it had passed. Instant::never() is no limit and arms no timer.
//
//     const Instant deadline = reactor.precise_now() + 2s;
//     Url url = co_await timeout_at(deadline, ask(first));
//     Reply reply = co_await timeout_at(deadline, ask(url));
template <class T>
Task<T> timeout_at(Instant deadline, Task<T> task) {
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  const Duration left = deadline == Instant::never() ? Duration::max() : deadline - began;
  co_return co_await detail::within(left, {TimeLimit::operation, "nothing"}, std::move(task), began);
}

template <Operation O>
ESC_CORO_WRAPPER Task<typename O::Value> timeout_at(Instant deadline, O operation) {
  return timeout_at(deadline, detail::as_task(std::move(operation)));
}

}  // namespace escapement
