// Stream, Listener, Network: byte streams between two ends, over any transport.
//
// Real sockets (tcp.h), TLS (tls.h), the simulated network and in-process pipes (sim/network.h, sim/pipe.h)
// implement these three, so code written on top of them (HTTP, tests) does not know which one it runs on.

#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/task.h>
#include <escapement/io/file_range.h>
#include <escapement/io/host_key.h>

namespace escapement {

class Reading;
class Writing;
namespace detail {
class ReadOperation;
class WriteOperation;
}  // namespace detail

// A connected, bidirectional, reliable sequence of bytes. At most one read and one write at a time, which may
// overlap. Destroying it closes the connection at once; bytes that have not been sent yet are lost, and the
// peer may see a reset. All tasks and operations must be gone before the stream is destroyed.
//
// A task that always finds bytes ready, or room for them, lets others run now and then: after 32 operations
// in a row that did not have to wait, or some 500 KiB (64 KiB if encrypted), the next one yields.
class Stream {
 public:
  virtual ~Stream() = default;

  // Waits for bytes and puts between 1 and `into.size()` of them into `into`. Yields how many; 0 is the end:
  // the peer has closed its direction. Fails with reset. `into` must not be empty, and must outlive the
  // operation. Cancelling it loses no bytes.
  //
  // Awaited directly, it leaves `into` alone until its task continues, and nothing else runs in between. So
  // tasks of one reactor that are done with the bytes before they wait again may all read into the same
  // memory, and a quiet connection has no buffer.
  Reading read(MutableBytes into);

  // Sends all of `bytes`, which must outlive the operation. Finishes when the transport has taken them, which
  // says nothing about the peer. Fails with reset. Cancelling it leaves an unknown part sent: the stream can
  // then only be closed.
  Writing write(Bytes bytes);

  // Half-close: tells the peer that no more bytes follow. Reading goes on. Fails with reset.
  virtual Task<> shutdown_write() = 0;

  // Sends the next bytes of the range, at most `most` (1 or more), without copying them through this program,
  // and advances the range. Yields false, with nothing sent, if this stream or this kind of file cannot do
  // that; the caller then reads and writes instead. Fails as write does, and with reset if the file ends
  // before the range.
  virtual Task<bool> send_file(FileRange& range, std::size_t most);

  // Returns true if an idle stream is no longer usable or has unexpected bytes: the peer closed, or sent
  // something unasked. A connection pool calls this before it reuses a connection. Does not wait, and may be
  // called while a watch is set: after `true` the caller reads and does not wait for an event any more,
  // because the event may have been that of the bytes looked into. Must not be called during a read.
  virtual bool readable_or_closed() = 0;

  // --- Non-blocking fast path, tried first by read() and write(), and for owners of many quiet streams.
  // Optional: a stream that does not override these five is used through the tasks below.

  // Takes bytes that have already arrived, at most `into.size()`, and returns how many. nullopt: none has
  // arrived, wait with `watch`. 0: call `read`, which will not wait, or this stream cannot tell. Must not be
  // called during a read.
  virtual std::optional<std::size_t> read_now(MutableBytes) { return 0; }
  // Sends what the transport takes at once and returns how many bytes that is. If it is not all, `write` the
  // rest: it waits, or fails. Must not be called during a write.
  virtual std::size_t write_now(Bytes) { return 0; }
  // Makes `waiter` ready, once, at the next event: bytes, the end, or a failure; not for what could be read
  // before. Replaces the last waiter; null clears it. The waiter must outlive the wait or the stream. Returns
  // false if this stream cannot watch. Must not be called during a read (checked).
  virtual bool watch(Reactor&, Runnable* /*waiter*/) { return false; }
  // Returns whether it is known that nothing more can be sent. The end of the peer's direction does not imply
  // that.
  virtual bool write_closed() const { return false; }
  // Returns whether it is known, from `watch`, that the peer sends no more: it has ended its direction or
  // closed the connection, which look the same. Bytes that it sent before may still be unread.
  virtual bool read_closed() const { return write_closed(); }

  // Makes the destructor tell the peer that the connection broke (TCP: RST), not that it ended. For
  // deliberate faults, and for cutting a peer off without waiting for it.
  virtual void reset_on_close() {}

  // Returns whether the bytes are encrypted on the wire (tls.h); a request's URL is then https.
  virtual bool encrypted() const { return false; }
  // Returns the application protocol that both ends agreed on in their handshake, by its ALPN name: "h2",
  // "http/1.1". Empty before the handshake, if none was agreed on, and for streams that agree on none. Valid
  // while the stream lives. A stream that wraps another one forwards it.
  virtual std::string_view agreed_protocol() const { return {}; }
  // Returns whether the peer of a server's stream may send requests for `host`. False if it asked for another
  // name in its handshake and the certificate it was shown is not for this one. `host` is in lower case,
  // without a port, brackets or a trailing dot.
  virtual bool serves([[maybe_unused]] std::string_view host) const { return true; }

  // Returns the peer's address for messages and logs: "127.0.0.1:8080".
  virtual std::string peer() const = 0;
  // Returns the peer's host alone, as 16 bytes to compare; nullopt if there is no such thing.
  virtual std::optional<HostKey> peer_host() const { return std::nullopt; }

  // --- For implementations: all of `read` and `write`, as tasks. Each begins with `if (!take_turn())
  // co_await yield();`.

  // Reads, as `read` does.
  virtual Task<std::size_t> read_task(MutableBytes into) = 0;
  // Writes, as `write` does.
  virtual Task<> write_task(Bytes bytes) = 0;

 protected:
  // Returns false if this operation has to let others run before it goes on.
  bool take_turn() {
    if (++turns_ <= turns_max) return true;
    turns_ = 0;
    return false;
  }
  // Called when an operation waits: others run meanwhile.
  void waits() { turns_ = 0; }
  // Reduces the bytes moved in a row to an eighth, for streams that encrypt them.
  void bytes_are_dear() { turn_bits_ = 11; }

 private:
  friend class detail::ReadOperation;
  friend class detail::WriteOperation;

  static constexpr std::uint32_t turns_max = 32;
  // Counts an operation that did not wait, and the bytes it moved: 2^turn_bits_ bytes count as one more
  // operation.
  void count_turns(std::size_t bytes) { turns_ += 1 + static_cast<std::uint32_t>(bytes >> turn_bits_); }
  std::uint32_t turns_ = 0;  // operations in a row that did not wait
  bool waited_for_ = false;  // a Reading watches
  std::uint8_t turn_bits_ = 14;
};

// A source of incoming connections. Destroying it stops listening; accepted connections live on.
class Listener {
 public:
  virtual ~Listener() = default;

  // Waits for the next connection. Fails with `overloaded` if a local resource has run out or the system
  // refuses otherwise: wait before the next call. A connection that broke before it could be accepted is
  // skipped; many in a row are `overloaded` too.
  virtual Task<std::unique_ptr<Stream>> accept() = 0;

  // Returns the port it listens on: the one chosen by the system if 0 was asked for.
  virtual std::uint16_t port() const = 0;
  // Returns the address it listens on: "127.0.0.1:8080".
  virtual std::string address() const = 0;
};

// Opens connections and listens for them. Must outlive the tasks it returns, not the streams.
class Network {
 public:
  virtual ~Network() = default;

  // Connects to `host` (a name or a literal address, IPv6 without brackets). Fails with not_found if the name
  // does not exist, and with unavailable if nobody can be reached there; always with nothing sent.
  virtual Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) = 0;
  // Connects within `limit`, or fails with timed_out and nothing sent. The error says whether it was still
  // looking up the address (TimeLimit::resolve), if it can tell, or connecting (TimeLimit::connect).
  virtual Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port);

  // Listens at "HOST:PORT", "[v6]:PORT" or ":PORT" (every address of this machine). Port 0 chooses any free
  // one. Fails with Errc::invalid_argument, address_in_use or permission_denied.
  virtual Result<std::unique_ptr<Listener>> listen(std::string_view address) = 0;
};

namespace detail {

// Runs `connecting` to `peer`, for implementations of Network. Ends it `limit` after `began` (never(): after
// this task's start).
Task<std::unique_ptr<Stream>> connection_within(Duration limit, Instant began, std::string peer,
                                                Task<std::unique_ptr<Stream>> connecting);

// A read that may be awaited. Waits by the stream's `watch` and tries again by itself. Leaves to `read_task`
// what only that can report: the end, failures, and everything if the stream has no `watch`.
class ReadOperation : private Runnable, public Awaiter<ReadOperation> {
 public:
  static constexpr const char* waits_for = "stream (read)";
  ReadOperation(const ReadOperation&) = delete;

  bool await_ready() {
    ESC_CHECK(!into_.empty());
    return stream_.turns_ < Stream::turns_max && try_now();
  }
  bool suspend(PromiseBase& parent);

 protected:
  ReadOperation(Stream& stream, MutableBytes into, bool propagate)
      : stream_(stream), into_(into), propagate_(propagate) {}
  ~ReadOperation() {
    if (watching_) stop_watching();
  }

  // Return the outcome. The frame of a task is destroyed before its outcome is seen.
  std::size_t value() { return task_ ? take_task().promise().take_value() : *count_; }
  Result<std::size_t> outcome() {
    if (!task_) return *count_;
    return take_task().promise().take();
  }

  Stream& stream_;
  MutableBytes into_;

 private:
  // Returns true if that was all.
  bool try_now() {
    count_ = stream_.read_now(into_);
    if (count_.value_or(0) == 0) return false;
    stream_.count_turns(*count_);
    return true;
  }
  bool watch();
  void stop_watching();
  bool start_task();
  Task<std::size_t> take_task();
  void run() override;
  const void* code() const override { return parent_->code(); }

  PromiseBase* parent_ = nullptr;
  std::optional<std::size_t> count_ = 0;  // as returned by read_now
  std::optional<Task<std::size_t>> task_;
  const bool propagate_;  // a failure fails the awaiting task
  bool watching_ = false;
};

// A write that may be awaited. Leaves to `write_task` the bytes that are not taken at once.
class WriteOperation : public Awaiter<WriteOperation> {
 public:
  static constexpr const char* waits_for = "stream (write)";
  WriteOperation(const WriteOperation&) = delete;

  bool await_ready() {
    if (bytes_.empty() || stream_.turns_ >= Stream::turns_max) return false;
    const std::size_t sent = stream_.write_now(bytes_);
    bytes_ = bytes_.subspan(sent);
    if (!bytes_.empty()) return false;
    stream_.count_turns(sent);
    return true;
  }
  bool suspend(PromiseBase& parent);

 protected:
  WriteOperation(Stream& stream, Bytes bytes, bool propagate)
      : stream_(stream), bytes_(bytes), propagate_(propagate) {}
  ~WriteOperation() = default;

  Result<> outcome();

  Stream& stream_;
  Bytes bytes_;

 private:
  std::optional<Task<>> task_;
  const bool propagate_;
};

// The awaiters that `result()` of the two returns: they yield a Result.
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] ReadResult final
    : public ReadOperation {
 public:
  ReadResult(Stream& stream, MutableBytes into) : ReadOperation(stream, into, false) {}
  Result<std::size_t> await_resume() { return outcome(); }
};

class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] WriteResult final
    : public WriteOperation {
 public:
  WriteResult(Stream& stream, Bytes bytes) : WriteOperation(stream, bytes, false) {}
  Result<> await_resume() { return outcome(); }
};

}  // namespace detail

// The operation that `Stream::read` returns: a read that begins when it is awaited, and is used like a
// Task<std::size_t>.
//
//     std::size_t count = co_await stream.read(room);
//     Result<std::size_t> count = co_await stream.read(room).result();
//     std::size_t count = co_await with_timeout(1s, stream.read(room));
//
// Awaited directly, as in the first two lines, it needs no coroutine of its own if bytes are there, nor, with
// most streams, while it waits for them. Everywhere else it converts to a Task. Destroying it cancels it; one
// that was never awaited has done nothing. It cannot be moved.
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Reading final
    : public detail::ReadOperation {
 public:
  using Value = std::size_t;

  Reading(Stream& stream, MutableBytes into) : ReadOperation(stream, into, true) {}

  std::size_t await_resume() { return value(); }
  detail::ReadResult result() && { return {stream_, into_}; }
  ESC_CORO_CONVERSION operator Task<std::size_t>() && { return stream_.read_task(into_); }
};

// The operation that `Stream::write` returns, used like a Task<>. It needs no coroutine of its own if the
// transport takes all the bytes at once.
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Writing final
    : public detail::WriteOperation {
 public:
  using Value = void;

  Writing(Stream& stream, Bytes bytes) : WriteOperation(stream, bytes, true) {}

  void await_resume() {}
  detail::WriteResult result() && { return {stream_, bytes_}; }
  ESC_CORO_CONVERSION operator Task<>() && { return stream_.write_task(bytes_); }
};

inline Reading Stream::read(MutableBytes into) { return Reading(*this, into); }
inline Writing Stream::write(Bytes bytes) { return Writing(*this, bytes); }

}  // namespace escapement
