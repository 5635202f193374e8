// Stream, Listener, Network: bytes between two ends, whoever carries them.
//
// Real sockets (tcp.h), TLS (tls.h), the simulated network and in-process pipes (sim.h) implement these
// three, so what is written on top of them (HTTP, tests) does not know which one it runs on.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/core/task.h>

namespace escapement {

// An IPv6 address, or an IPv4 one as IPv6 writes it.
using HostKey = std::array<std::byte, 16>;

// A connected, bidirectional, reliable sequence of bytes. At most one read and one write at a time, which
// may overlap each other. Destroying it closes the connection at once; whatever the peer has not been sent
// is lost, and the peer may see a reset. All tasks must be gone before the stream is destroyed.
class Stream {
 public:
  virtual ~Stream() = default;

  // Waits for bytes, and puts between 1 and `into.size()` of them into `into`; yields how many. 0 is the
  // end: the peer has closed its direction. `into` must not be empty, and must outlive the task.
  // Fails: reset. Cancelling it loses no bytes.
  virtual Task<std::size_t> read(MutableBytes into) = 0;

  // Sends all of `bytes`, which must outlive the task; finished when the transport has taken them, which
  // says nothing about the peer. Fails: reset. Cancelling it leaves an unknown part sent: the stream is
  // then only good for closing.
  virtual Task<> write(Bytes bytes) = 0;

  // Half-close: tells the peer that no more bytes come from here. Reading goes on. Fails: reset.
  virtual Task<> shutdown_write() = 0;

  // True when an idle stream cannot be used any more or has bytes that nobody asked for: the peer closed,
  // or broke in. What a connection pool asks before it uses a kept connection again. Does not wait.
  virtual bool readable_or_closed() = 0;

  // --- Without a task: for whoever holds many quiet streams, and where a task would finish at once anyway.
  // A stream that leaves these four as they are is used through the tasks above.

  // Takes what has arrived already, at most `into.size()` bytes, and yields how many. Nothing: none has, wait
  // with `watch`. 0: ask `read`; it will not wait, or this stream cannot say. Not while a read is under way.
  virtual std::optional<std::size_t> read_now(MutableBytes) { return 0; }
  // Sends what the transport takes at once and yields how many bytes. Where that is not all, `write` the
  // rest: it waits, or fails. Not while a write is under way.
  virtual std::size_t write_now(Bytes) { return 0; }
  // `waiter` becomes ready, once, at the next event: bytes, the end, or a failure; not for what could be read
  // before. It replaces the last waiter; null: nobody waits. It must outlive the wait or the stream. False:
  // this stream cannot tell. Not while a read is under way.
  virtual bool watch(Reactor&, Runnable* /*waiter*/) { return false; }
  // Whether it is known that nothing more can be sent. The end of what the peer sends does not mean that.
  virtual bool broken() const { return false; }

  // From now on destroying it tells the peer that the connection broke (TCP: RST), not that it ended. For
  // faults on purpose, and for cutting a peer off without waiting for it.
  virtual void reset_on_close() {}

  // Whether what it carries is encrypted on the way (tls.h): what makes a request's URL https.
  virtual bool encrypted() const { return false; }

  // The other end, for messages and logs: "127.0.0.1:8080".
  virtual std::string peer() const = 0;
  // The other end's host alone, as 16 bytes to compare; none where there is no such thing.
  virtual std::optional<HostKey> peer_host() const { return std::nullopt; }
};

// Where connections arrive. Destroying it stops listening; what was accepted lives on.
class Listener {
 public:
  virtual ~Listener() = default;

  // The next connection. Fails with `overloaded` when a local resource has run out: wait before the next
  // call. A connection that broke before it could be accepted is passed over.
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

  // Listens at "HOST:PORT", "[v6]:PORT" or ":PORT" (every address of this machine). Port 0: any free one.
  // Errc::invalid_argument, address_in_use, permission_denied.
  virtual Result<std::unique_ptr<Listener>> listen(std::string_view address) = 0;
};

}  // namespace escapement
