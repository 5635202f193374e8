// copy and copy_both: move bytes from one stream to another.
//
//     std::uint64_t count = co_await copy(*upstream, client);
//
//     BothCopied counts = co_await copy_both(client, *upstream, 5min);   // a proxy for any protocol

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/combine.h>
#include <escapement/core/detail/check.h>
#include <escapement/io/stream.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement {

// Settings of `copy`. Has a constructor because g++ 12 destroys aggregates in a co_await statement twice:
// make one, set what differs, and pass it.
struct CopyOptions {
  CopyOptions() {}

  // The memory of one copy, in bytes, and the most that it holds between reading and writing. At least 1
  // (checked).
  std::size_t buffer = 16 * KiB;
  // The most bytes that the source may have.
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  // Half-closes the destination (`shutdown_write`) after the last byte.
  bool shut_down = false;
  // Called after each write with the number of bytes copied so far. May be empty. An exception that it throws
  // fails the copy.
  std::function<void(std::uint64_t)> progress;
};

namespace detail {

template <class S>
concept Readable = requires(S& s, MutableBytes into) { s.read(into); };
template <class S>
concept Writable = requires(S& s, Bytes bytes) { s.write(bytes); };

// Reads once and writes what came. Yields how many bytes that was; 0 at the end.
template <class From, class To>
Task<std::size_t> copy_once(From& from, To& to, MutableBytes room) {
  const std::size_t count = co_await from.read(room);
  if (count != 0) co_await to.write(Bytes(room.first(count)));
  co_return count;
}

Error copied_too_much(std::uint64_t limit);

}  // namespace detail

// Reads `from` to its end and writes everything to `to`. Yields the number of bytes. `from` is anything with
// a `read` like Stream's: a Stream, a ReadHalf, a BufferedReader; `to` is a Stream, a WriteHalf, a
// BufferedWriter (which it does not flush). Both must outlive the task.
//
// It reads the next bytes when the last ones are written: a slow destination slows the source down. Fails as
// reading or writing fails. Fails with Errc::limit_exceeded if the source has more than `limit` bytes: the
// first `limit` of them are written by then, and one more is read. Cancelling it leaves an unknown part
// written.
template <detail::Readable From, detail::Writable To>
Task<std::uint64_t> copy(From& from, To& to, CopyOptions options = CopyOptions()) {
  ESC_CHECK(options.buffer > 0, "copy needs a buffer of at least 1 byte");
  const auto room = std::make_unique<std::byte[]>(options.buffer);
  std::uint64_t copied = 0;
  while (copied < options.limit) {
    const std::uint64_t left = options.limit - copied;
    const MutableBytes free(room.get(),
                            static_cast<std::size_t>(std::min<std::uint64_t>(left, options.buffer)));
    const std::size_t count = co_await detail::copy_once(from, to, free);
    if (count == 0) break;
    copied += count;
    if (options.progress) options.progress(copied);
  }
  if (copied == options.limit) {
    const std::size_t more = co_await from.read(MutableBytes(room.get(), 1));
    if (more != 0) co_return detail::copied_too_much(options.limit);
  }
  if (options.shut_down) co_await to.shutdown_write();
  co_return copied;
}

// The bytes that `copy_both` has moved in each direction.
struct BothCopied {
  // Made by copy_both.
  BothCopied(std::uint64_t there, std::uint64_t back) : to_second(there), to_first(back) {}
  std::uint64_t to_second;  // from the first to the second stream
  std::uint64_t to_first;   // from the second to the first
};

// Copies in both directions until both have ended. The end of one direction is passed on as a half-close, and
// the other goes on. Yields the bytes of each direction.
//
// Fails with Errc::timed_out (TimeLimit::operation) when no byte has moved in either direction for `idle`,
// never before; `Duration::max()` is no limit. Bytes count as moved once the receiving stream has taken them.
// Fails as soon as one direction fails; the other is cancelled by then. After a failure both streams can only
// be closed, and closing is up to the caller: both must outlive the task. Each direction has a buffer of
// `buffer` bytes.
Task<BothCopied> copy_both(Stream& first, Stream& second, Duration idle, std::size_t buffer = 16 * KiB);

}  // namespace escapement
