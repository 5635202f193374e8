// Stream, Listener, Network: bytes between two ends, whoever carries them.
//
// Real sockets (tcp.h), TLS (tls.h), the simulated network and in-process pipes (sim.h) implement these
// three, so what is written on top of them (HTTP, tests) does not know which one it runs on.

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

// A connected, bidirectional, reliable sequence of bytes. At most one read and one write at a time, which
// may overlap each other. Destroying it closes the connection at once; whatever the peer has not been sent
// is lost, and the peer may see a reset. All tasks and operations must be gone before the stream is
// destroyed.
//
// Who always finds bytes ready, or room for them, lets others run now and then: after 32 operations in a row
// that did not have to wait, or some 500 KiB (64 KiB where they are encrypted), the next one yields.
class Stream {
 public:
  virtual ~Stream() = default;

  // Waits for bytes, and puts between 1 and `into.size()` of them into `into`; yields how many. 0 is the
  // end: the peer has closed its direction. `into` must not be empty, and must outlive the operation.
  // Fails: reset. Cancelling it loses no bytes.
  //
  // Awaited itself, it leaves `into` alone until its task goes on, and nothing else runs in between: tasks of
  // one reactor that are done with the bytes before they wait again may all read into the same memory, so
  // that a connection that is quiet has no buffer.
  Reading read(MutableBytes into);

  // Sends all of `bytes`, which must outlive the operation; finished when the transport has taken them, which
  // says nothing about the peer. Fails: reset. Cancelling it leaves an unknown part sent: the stream is
  // then only good for closing.
  Writing write(Bytes bytes);

  // Half-close: tells the peer that no more bytes come from here. Reading goes on. Fails: reset.
  virtual Task<> shutdown_write() = 0;

  // Sends the next of the range's bytes, at most `most` (1 or more), without bringing them into this program,
  // and moves the range on. Fails as write does, and with reset where the file ends before the range. False,
  // and nothing was sent: this stream, or this kind of file, cannot; read it and write that.
  virtual Task<bool> send_file(FileRange& range, std::size_t most);

  // True when an idle stream cannot be used any more or has bytes that nobody asked for: the peer closed,
  // or broke in. What a connection pool asks before it uses a kept connection again. Does not wait, and may
  // be asked while somebody watches: who is told `true` reads, and waits for no event any more, which may
  // have been that of the bytes that were looked into. Not while a read is under way.
  virtual bool readable_or_closed() = 0;

  // --- Without waiting: for whoever holds many quiet streams, and what `read` and `write` try first. A
  // stream that leaves these five as they are is used through the tasks below.

  // Takes what has arrived already, at most `into.size()` bytes, and yields how many. Nothing: none has, wait
  // with `watch`. 0: ask `read`; it will not wait, or this stream cannot say. Not while a read is under way.
  virtual std::optional<std::size_t> read_now(MutableBytes) { return 0; }
  // Sends what the transport takes at once and yields how many bytes. Where that is not all, `write` the
  // rest: it waits, or fails. Not while a write is under way.
  virtual std::size_t write_now(Bytes) { return 0; }
  // `waiter` becomes ready, once, at the next event: bytes, the end, or a failure; not for what could be read
  // before. It replaces the last waiter; null: nobody waits. It must outlive the wait or the stream. False:
  // this stream cannot tell. Not while a read is under way (checked).
  virtual bool watch(Reactor&, Runnable* /*waiter*/) { return false; }
  // Whether it is known that nothing more can be sent. The end of what the peer sends does not mean that.
  virtual bool write_closed() const { return false; }
  // Whether it is known, from `watch`, that the peer sends no more: it has ended its direction or closed the
  // connection, which look the same. What it sent before may still be unread.
  virtual bool read_closed() const { return write_closed(); }

  // From now on destroying it tells the peer that the connection broke (TCP: RST), not that it ended. For
  // faults on purpose, and for cutting a peer off without waiting for it.
  virtual void reset_on_close() {}

  // Whether what it carries is encrypted on the way (tls.h): what makes a request's URL https.
  virtual bool encrypted() const { return false; }
  // A server's: whether the peer may ask for what this host serves. False where it asked for another name in
  // its handshake and the certificate it was shown is not for this one. `host`: in lower case, without a
  // port, brackets or a dot at its end.
  virtual bool serves([[maybe_unused]] std::string_view host) const { return true; }

  // The other end, for messages and logs: "127.0.0.1:8080".
  virtual std::string peer() const = 0;
  // The other end's host alone, as 16 bytes to compare; none where there is no such thing.
  virtual std::optional<HostKey> peer_host() const { return std::nullopt; }

  // --- For streams to implement: the whole of `read` and `write`, as tasks. Each begins with
  // `if (!take_turn()) co_await yield();`.

  virtual Task<std::size_t> read_task(MutableBytes into) = 0;
  virtual Task<> write_task(Bytes bytes) = 0;

 protected:
  // False when this operation is to let others run before it goes on.
  bool take_turn() {
    if (++turns_ <= turns_max) return true;
    turns_ = 0;
    return false;
  }
  // An operation waits: others run meanwhile.
  void waits() { turns_ = 0; }
  // For streams to which a byte is dear, for it is encrypted: an eighth as much is moved in a row.
  void bytes_are_dear() { turn_bytes_ = 2 * KiB; }

 private:
  friend class detail::ReadOperation;
  friend class detail::WriteOperation;

  static constexpr std::uint8_t turns_max = 32;
  // An operation that did not wait, and what it moved: `turn_bytes_` count as much.
  void count_turns(std::size_t bytes) {
    turns_ = static_cast<std::uint8_t>(std::min<std::size_t>(turns_max, turns_ + 1 + bytes / turn_bytes_));
  }
  std::uint8_t turns_ = 0;   // operations in a row that did not wait
  bool waited_for_ = false;  // a Reading watches
  std::uint32_t turn_bytes_ = 16 * KiB;
};

// Where connections arrive. Destroying it stops listening; what was accepted lives on.
class Listener {
 public:
  virtual ~Listener() = default;

  // The next connection. Fails with `overloaded` when a local resource has run out or the system refuses
  // otherwise: wait before the next call. A connection that broke before it could be accepted is passed over;
  // many in a row are `overloaded` too.
  virtual Task<std::unique_ptr<Stream>> accept() = 0;

  // The port it listens on: the one chosen by the system where 0 was asked for.
  virtual std::uint16_t port() const = 0;
  // Where it listens: "127.0.0.1:8080".
  virtual std::string address() const = 0;
};

// Opens connections and listens for them. Must outlive the tasks it returns, not the streams.
class Network {
 public:
  virtual ~Network() = default;

  // Connects to `host` (a name or a literal address, IPv6 without brackets). Fails: not_found for a name
  // that does not exist, unavailable when nobody answers there; always with nothing sent.
  virtual Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) = 0;
  // The same, given up after `limit`: timed_out, with nothing sent. The error says whether it was still
  // looking for the address (TimeLimit::resolve), where it can tell, or connecting (TimeLimit::connect).
  virtual Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port);

  // Listens at "HOST:PORT", "[v6]:PORT" or ":PORT" (every address of this machine). Port 0: any free one.
  // Errc::invalid_argument, address_in_use, permission_denied.
  virtual Result<std::unique_ptr<Listener>> listen(std::string_view address) = 0;
};

namespace detail {

// For networks: `connecting` to `peer`, ended by `limit` since `began` (never(): since this task's start).
Task<std::unique_ptr<Stream>> connection_within(Duration limit, Instant began, std::string peer,
                                                Task<std::unique_ptr<Stream>> connecting);

// A read that may be awaited. It waits by the stream's `watch` and tries again by itself; what only
// `read_task` can say (the end, failures, and all of it where the stream has no `watch`) it leaves to that.
class ReadOperation : private Runnable, public Awaiter<ReadOperation> {
 public:
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

  // What came of it; a task's frame is gone before that is seen.
  std::size_t value() { return task_ ? take_task().promise().take_value() : *count_; }
  Result<std::size_t> outcome() {
    if (!task_) return *count_;
    return take_task().promise().take();
  }

  Stream& stream_;
  MutableBytes into_;

 private:
  // True when that was all.
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
  std::optional<std::size_t> count_ = 0;  // as read_now says
  std::optional<Task<std::size_t>> task_;
  const bool propagate_;  // a failure fails what awaits it
  bool watching_ = false;
};

// A write that may be awaited: what is not taken at once is left to `write_task`.
class WriteOperation : public Awaiter<WriteOperation> {
 public:
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

// What `result()` of them is: yields a Result.
class [[nodiscard]] ReadResult final : public ReadOperation {
 public:
  ReadResult(Stream& stream, MutableBytes into) : ReadOperation(stream, into, false) {}
  Result<std::size_t> await_resume() { return outcome(); }
};

class [[nodiscard]] WriteResult final : public WriteOperation {
 public:
  WriteResult(Stream& stream, Bytes bytes) : WriteOperation(stream, bytes, false) {}
  Result<> await_resume() { return outcome(); }
};

}  // namespace detail

// What `Stream::read` returns: a read that begins when it is awaited, and is used like a Task<std::size_t>.
//
//     std::size_t count = co_await stream.read(room);
//     Result<std::size_t> count = co_await stream.read(room).result();
//     std::size_t count = co_await with_timeout(1s, stream.read(room));
//
// Awaited itself, as in the first two lines, it needs no coroutine of its own where bytes are there, nor,
// with most streams, while it waits for them. Everywhere else it turns into a Task. Destroying it cancels it;
// one that was never awaited has done nothing. It stays where it was made.
class [[nodiscard]] Reading final : public detail::ReadOperation {
 public:
  using Value = std::size_t;

  Reading(Stream& stream, MutableBytes into) : ReadOperation(stream, into, true) {}

  std::size_t await_resume() { return value(); }
  detail::ReadResult result() && { return {stream_, into_}; }
  operator Task<std::size_t>() && { return stream_.read_task(into_); }
};

// What `Stream::write` returns: the same for a write, used like a Task<>. It needs no coroutine of its own
// where the transport takes all the bytes at once.
class [[nodiscard]] Writing final : public detail::WriteOperation {
 public:
  using Value = void;

  Writing(Stream& stream, Bytes bytes) : WriteOperation(stream, bytes, true) {}

  void await_resume() {}
  detail::WriteResult result() && { return {stream_, bytes_}; }
  operator Task<>() && { return stream_.write_task(bytes_); }
};

inline Reading Stream::read(MutableBytes into) { return Reading(*this, into); }
inline Writing Stream::write(Bytes bytes) { return Writing(*this, bytes); }

}  // namespace escapement
