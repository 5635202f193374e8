// BufferedReader: lines, delimited parts, frames and exact counts from a stream of bytes.
//
//     Task<> serve(Stream& stream) {
//       BufferedReader reader(stream);
//       while (std::optional<std::string> line = co_await reader.line()) co_await answer(stream, *line);
//     }
//
// It reads from a Stream, from a half of one (split.h), or from any sequence of strings (core/sequence.h): a
// Generator, the chunks of an HTTP body (http/body_sequence.h). What it has read ahead belongs to it, so go
// on reading through it, or hand `take_buffered()` over together with the stream.
//
// Every operation that waits for a certain amount has a limit, which bounds the memory. Three rules hold for
// all of them:
// - Nothing is lost. One that fails, or is cancelled, has consumed nothing: the bytes stay, and another
//   operation may read them.
// - Errc::limit_exceeded says that the limit was reached before the end of what was asked for.
// - Errc::reset says that the input ended in the middle. An end before the first byte is no error where the
//   operation yields an optional: it is nullopt.
// A failure of the source is the failure of the operation.
//
// One operation at a time (checked). Tasks must be gone before the reader and its source are destroyed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/sequence.h>
#include <escapement/io/stream.h>

namespace escapement {

// Settings of a BufferedReader.
struct BufferOptions {
  // The room offered to each read of a Stream, in bytes. At least 1 (checked).
  std::size_t read_size = 8 * KiB;
  // The longest line, delimited part, frame, peek or exact count, in bytes, for operations that do not state
  // another limit.
  std::size_t limit = 64 * KiB;
};

// The order of the bytes of a number.
enum class ByteOrder : std::uint8_t {
  big,     // most significant byte first: network order
  little,  // least significant byte first
};

namespace detail {

// A sequence of strings, of a type that the reader does not know.
class StringSource {
 public:
  virtual ~StringSource() = default;
  virtual Task<std::optional<std::string>> next() = 0;
};

template <class S>
class StringSequence final : public StringSource {
 public:
  explicit StringSequence(S sequence) : sequence_(std::forward<S>(sequence)) {}
  ESC_CORO_WRAPPER Task<std::optional<std::string>> next() override { return as_task(next_of(sequence_)); }

 private:
  S sequence_;
};

template <class S>
concept StringsInSequence =
    AsyncSequence<std::remove_reference_t<S>> && std::same_as<SequenceValue<S>, std::string>;

}  // namespace detail

class BufferedReader {
 public:
  class Lines;

  // Reads from `stream`, which must outlive the reader.
  explicit BufferedReader(Stream& stream, BufferOptions options = BufferOptions());
  // Reads from a stream that it keeps: a std::unique_ptr<Stream> that was moved here, or a shared one.
  explicit BufferedReader(std::shared_ptr<Stream> stream, BufferOptions options = BufferOptions());
  // Reads the strings of a sequence one after the other, as if they were one text; their borders do not
  // matter. A temporary or moved sequence is kept, an lvalue must outlive the reader.
  template <class S>
    requires detail::StringsInSequence<S>
  explicit BufferedReader(S&& sequence, BufferOptions options = BufferOptions())
      : BufferedReader(std::make_unique<detail::StringSequence<S>>(std::forward<S>(sequence)), options) {}
  // Movable while no operation runs.
  BufferedReader(BufferedReader&& other) noexcept;
  ~BufferedReader();

  // Waits for bytes and puts between 1 and `into.size()` of them into `into`, those that were read ahead
  // first. Yields how many; 0 is the end. `into` must not be empty (checked), and must outlive the task.
  Task<std::size_t> read(MutableBytes into);
  // Yields exactly `count` bytes, at most the limit.
  Task<std::string> read_exactly(std::size_t count);
  // Yields the bytes before the next `delimiter`, which is consumed too. The delimiter must not be empty
  // (checked). At most `limit` bytes may stand before it.
  ESC_CORO_WRAPPER Task<std::optional<std::string>> read_until(std::string delimiter);
  Task<std::optional<std::string>> read_until(std::string delimiter, std::size_t limit);
  // Yields the next line without its ending, LF or CR LF; a lone CR is part of the line. The last line may
  // lack the ending. A protocol that must notice a truncated last line uses `read_until("\n")`, which fails
  // there. The limit does not count the ending.
  ESC_CORO_WRAPPER Task<std::optional<std::string>> line();
  Task<std::optional<std::string>> line(std::size_t limit);
  // Returns the lines as a sequence, for what takes one: `throttle(reader.lines(), 1s)`. The reader must
  // outlive it. Reading by other operations in between is allowed.
  Lines lines();
  Lines lines(std::size_t limit);
  // Yields the content of the next frame: a length of `length_size` bytes (1 to 8, checked), which does not
  // count itself, then so many bytes. At most `limit` bytes of content.
  ESC_CORO_WRAPPER Task<std::optional<std::string>> frame(std::size_t length_size,
                                                          ByteOrder order = ByteOrder::big);
  Task<std::optional<std::string>> frame(std::size_t length_size, ByteOrder order, std::size_t limit);
  // Waits until `count` bytes, at most the limit, have arrived, and yields a view of exactly so many; of
  // fewer at the end of the input. Consumes none. The view is valid until the next operation.
  Task<std::string_view> peek(std::size_t count);
  // Waits until a byte or the end has arrived. Yields whether it is the end.
  Task<bool> at_end();

  // The bytes that were read ahead; valid until the next operation.
  std::string_view buffered() const { return std::string_view(room_).substr(begin_, end_ - begin_); }
  // Takes the bytes that were read ahead, for another reader of the source. Consumes them.
  std::string take_buffered();
  // Drops the first `count` of the bytes that were read ahead, at most all of them (checked).
  void consume(std::size_t count);

 private:
  BufferedReader(std::unique_ptr<detail::StringSource> source, BufferOptions options);

  // Reads once more from the source. Yields false at the end.
  ESC_CORO_WRAPPER Task<bool> fill();
  Task<bool> fill_from_stream();
  Task<bool> fill_from_sequence();
  // Waits until `count` bytes are there. Yields false if the input ends before.
  Task<bool> wait_for(std::size_t count);
  void make_room(std::size_t more);
  std::string take(std::size_t count);
  Error ended_early(std::string_view what) const;

  std::shared_ptr<Stream> kept_;
  Stream* stream_ = nullptr;  // null: `strings_` is the source
  std::unique_ptr<detail::StringSource> strings_;
  BufferOptions options_;
  std::string room_;  // the bytes that were read ahead are [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;  // the source has no more
  bool filling_ = false;
};

// The sequence that `BufferedReader::lines` returns.
class BufferedReader::Lines {
 public:
  Lines(BufferedReader& reader, std::size_t limit) : reader_(&reader), limit_(limit) {}
  // As BufferedReader::line.
  ESC_CORO_WRAPPER Task<std::optional<std::string>> next() { return reader_->line(limit_); }

 private:
  BufferedReader* reader_;
  std::size_t limit_;
};

inline BufferedReader::Lines BufferedReader::lines() { return lines(options_.limit); }
inline BufferedReader::Lines BufferedReader::lines(std::size_t limit) { return Lines(*this, limit); }

}  // namespace escapement
