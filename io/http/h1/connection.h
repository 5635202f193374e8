// Http1Connection: one HTTP/1.1 connection over a Stream. One implementation for both roles, because framing
// is the same in both directions; client.h and server.h say who speaks first.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <escapement/core/bytes.h>
#include <escapement/core/event.h>
#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/message.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

// Notified when the connection starts and stops waiting for its peer, so that the owner can enforce its own
// time limits.
class Waits {
 public:
  enum class For { body, sending };
  virtual void begin_wait(For what) = 0;
  virtual void end_wait(For what) = 0;

 protected:
  ~Waits() = default;
};

// Work that never has to wait, because bytes, room and responses are always there, yields when the reactor's
// turn has lasted this long: other connections' turns come at most this long, and one piece of work of each
// that is ready (16 KiB read, 64 KiB sent, eight responses), later. `tools/bench_http --fair` holds a
// client's p99 to twice that. (A simulated turn takes no time.)
constexpr Duration turn_max = 1ms;
inline bool turn_is_long(Reactor& reactor) { return reactor.precise_now() - reactor.now() > turn_max; }

// Reads messages and writes messages; one of each at a time, which may overlap.
//
// Received bytes go through one buffer, and output is put together in another; `release_buffers` gives both
// back. Reading and writing come in two kinds: functions that do only what can be done at once, and tasks
// that wait.
class Http1Connection {
 public:
  static constexpr std::size_t read_size = 16 * KiB;
  // The same for a body that is received by a client and arrives fast.
  static constexpr std::size_t large_read_size = 64 * KiB;
  // The output that is put together before it is sent; a body in memory up to this size goes out with its
  // head.
  static constexpr std::size_t coalesce_max = 64 * KiB;

  // Makes a client's. Waiting for the peer fails with timed_out when there is no progress for
  // `stall_timeout`; waiting for a body's own source, when that yields nothing for `source_timeout`.
  Http1Connection(Parser::Role role, ParserLimits limits, Duration stall_timeout, Duration source_timeout);
  // Makes a server's. Either is lent to one stream after the other.
  Http1Connection(Parser::Role role, ParserLimits limits);
  Http1Connection(const Http1Connection&) = delete;

  // `stream` and `waits`, which is notified of waiting, must outlive it or be detached.
  void attach(Stream& stream, Waits& waits) {
    stream_ = &stream;
    waits_ = &waits;
  }
  // A client's.
  void attach(Stream& stream) { stream_ = &stream; }
  // Forgets everything about the stream.
  void detach();

  // --- Receiving

  // Returns the next event in the bytes that have arrived. `need_more`: receive, then ask again. `failed`:
  // parse_error_status().
  Parser::Event parse() {
    return complete_ && from_ == to_ && !parse_failed_ ? Parser::Event::need_more : parse_more();
  }
  enum class Arrived {
    bytes,
    nothing,  // wait with the stream's watch()
    ask,      // only receive() can say
  };
  // Takes what has arrived at the stream without waiting. Everything was parsed before.
  Arrived receive_now();
  // Waits for more; false at the end. Fails as the stream does.
  Task<bool> receive();
  // Call when the peer sends no more. Returns what that means for the message.
  Parser::Event finish() { return parser_.finish(); }
  MessageHead& head() { return parser_.head(); }
  // A client's: call before each message. `answers_head`: it responds to a HEAD.
  void expect_head(bool answers_head) { parser_.expect_no_body(answers_head); }
  // A client's, between two messages. Returns whether a plain response has arrived as a whole, which is then
  // consumed: head() is there, and `body` until the next call. False: parse().
  bool take_whole_response(std::string_view& body);
  // Takes the body of the message whose head was parsed last, if its length is known and all of it has
  // arrived. Valid until the next call.
  std::optional<std::string_view> take_buffered_body();
  // The reason why parse() or finish() failed.
  const Error& parse_error() const { return parser_.error(); }

  // Returns the next bytes of the message's body; empty at its end.
  Task<std::string> read_body();
  // True from the head of a message that was read to its end.
  bool message_complete() const { return complete_; }
  // Drops the rest of a body if all of it has arrived already and it is at most `most` bytes. Does not wait.
  // Returns whether the message is complete now.
  bool skip_buffered_body(std::size_t most);
  // Returns the fields after a chunked body, once it is complete.
  Headers take_trailers() { return std::move(parser_.trailers()); }
  // Returns whether a byte beyond the last complete message has arrived.
  bool has_unread_bytes() const { return from_ < to_; }
  // Returns those bytes, which no longer belong to HTTP.
  std::string take_unread_bytes();
  // True when no byte of the next message has arrived.
  bool between_messages() const { return complete_ && !has_unread_bytes() && parser_.between_messages(); }
  // Returns the status of the response to a message that failed to parse; 0 when the parser did not fail.
  int parse_error_status() const { return parse_failed_ ? parser_.error_status() : 0; }
  // Counts the bytes of the current message's body, without framing.
  std::uint64_t body_bytes() const { return body_bytes_; }

  // --- Sending

  // The output that is going to be sent. Heads are written into it.
  Output& out() { return out_; }
  // Returns whether there is output to send, or an unknown part of it was sent.
  bool unsent() const { return !out_.empty() || write_aborted_; }
  // Returns whether a flush() is under way.
  bool sending() const { return sending_; }
  // Counts how often the stream has taken bytes, or may have. The same before and after: it took none.
  std::uint64_t writes() const { return writes_; }
  // Sends as much as the stream takes at once. Returns whether that was all.
  bool flush_now() { return out_.empty() || write_some(); }
  // Sends all of it, in slices, so that the limit is on progress and not on the whole. If another task is
  // sending already, that one goes on with the output that was added, and is waited for. Fails with reset,
  // also when that task was cancelled, or timed_out.
  Task<> flush();
  // Puts a body in memory behind its head. Returns false if it needs send_body.
  ESC_INLINE bool put_body(const Body& body, Framing framing) {
    if (framing == Framing::none) return true;
    if (!body.replayable() || framing == Framing::chunked) return false;
    const std::string_view bytes = body.bytes();
    if (out_.size() + bytes.size() > coalesce_max) return false;
    out_ += bytes;
    return true;
  }
  // Sends a body as `framing` says; the last of it may be left in out(). Bytes in memory are not taken from
  // the body: it can be sent again.
  Task<> send_body(Body& body, Framing framing);
  // Sends `head`, which the writer has made, and the body.
  Task<> send(std::string head, Body& body, Framing framing);
  Task<> send_text(std::string text);

  // Gives the buffers back, for the time in which the connection is idle.
  void release_buffers();

  Stream& stream() { return *stream_; }

 private:
  Parser::Event parse_more();
  bool write_some();
  Task<Parser::Event> next_event();
  Task<Parser::Event> next_event_in_time();
  std::optional<std::string> body_now();
  std::optional<std::string> body_into_place(std::uint64_t left);
  Task<> send_bytes(std::string_view bytes);
  // A client's: waits for a write on the stream, within the limit on progress. A write that does not finish
  // at once counts from then on: some of it may leave, even if it fails.
  template <class T>
  Task<T> send_in_time(Task<T> sending);
  Task<> write_slice(Bytes slice);
  // As Stream::send_file.
  Task<bool> send_slice_of(FileRange& file);

  Stream* stream_ = nullptr;
  ParserLimits limits_;
  Parser::Role role_;
  Parser parser_;
  Duration stall_timeout_ = Duration::max();
  Duration source_timeout_ = Duration::max();
  Waits* waits_ = nullptr;
  std::unique_ptr<std::byte[]> received_;  // bytes from_ to to_ are not parsed yet
  std::size_t from_ = 0;
  std::size_t to_ = 0;
  Output out_;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t writes_ = 0;  // that the stream took bytes of, or may have taken
  bool complete_ = true;      // no message is in the middle
  bool parse_failed_ = false;
  bool ended_ = false;          // the peer sends no more
  bool fast_peer_ = false;      // the last bytes of a body filled the room for them
  bool sending_ = false;        // a flush() is under way
  Event sent_;                  // pulsed when that is over
  bool write_aborted_ = false;  // and was given up: an unknown part was sent
};

}  // namespace escapement::http::detail
