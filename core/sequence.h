// AsyncSequence: values that come one after the other, each of them awaited.
//
// A sequence is anything with a member `next()`, or `receive()`, that returns a task or an operation (task.h)
// of a `std::optional<T>`: a Generator (generator.h), a Channel (channel.h), the lines of a BufferedReader
// (io/buffered_reader.h). An empty optional is the end. One loop reads them all:
//
//     while (std::optional<std::string> line = co_await lines.next()) handle(*line);
//
// Whatever takes a sequence takes it as the caller passes it. A temporary or a moved sequence is kept as long
// as the task that uses it; an lvalue is used where it stands and must outlive that task.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <escapement/core/task.h>

namespace escapement {

namespace detail {

template <class T>
inline constexpr bool is_task_of_optional = false;
template <class T>
inline constexpr bool is_task_of_optional<Task<std::optional<T>>> = true;

template <class T>
T value_in(const Task<std::optional<T>>&);

// Asks a sequence for its next value.
template <class S>
  requires requires(S& sequence) { sequence.next(); }
auto next_of(S& sequence) {
  return sequence.next();
}
template <class S>
  requires requires(S& sequence) { sequence.receive(); }
auto next_of(S& sequence) {
  return sequence.receive();
}

// The type of the task that this is.
template <class S>
using NextTask = decltype(as_task(next_of(std::declval<S&>())));

}  // namespace detail

template <class S>
concept AsyncSequence =
    requires { typename detail::NextTask<S>; } && detail::is_task_of_optional<detail::NextTask<S>>;

// The type of a sequence's values: `int` for a Generator<int>.
template <AsyncSequence S>
using SequenceValue = decltype(detail::value_in(std::declval<const detail::NextTask<S>&>()));

namespace detail {

// `S` is a reference where the caller keeps the sequence.
template <class S>
Task<std::vector<SequenceValue<S>>> collect_from(S sequence, std::size_t limit) {
  std::vector<SequenceValue<S>> values;
  for (;;) {
    std::optional<SequenceValue<S>> value = co_await next_of(sequence);
    if (!value) co_return std::move(values);
    if (values.size() == limit) {
      co_return Error(Errc::limit_exceeded, "a sequence of more than " + std::to_string(limit) + " values");
    }
    values.push_back(*std::move(value));
  }
}

}  // namespace detail

// Reads `sequence` to its end and yields its values in order.
//
//     std::vector<std::string> names = co_await collect(read_names(), 1000);
//
// Fails with Errc::limit_exceeded at the value after the first `limit`, which bounds the memory, and as the
// sequence fails; the values read by then are dropped. Cancelling it cancels the sequence if it was moved in.
template <class S>
  requires AsyncSequence<std::remove_reference_t<S>>
ESC_CORO_WRAPPER Task<std::vector<SequenceValue<S>>> collect(S&& sequence, std::size_t limit) {
  return detail::collect_from<S>(std::forward<S>(sequence), limit);
}

}  // namespace escapement
