// Client: HTTP/1.1 over a Network, with a pool of kept connections. A Client is a Service.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <escapement/io/http/message.h>
#include <escapement/io/http/route.h>
#include <escapement/io/stream.h>

namespace escapement::http {

namespace detail {
class Pool;
}

// Makes an encrypted stream to `host` out of a connected one; how a Client speaks https.
using Encrypt = std::function<Task<std::unique_ptr<Stream>>(std::unique_ptr<Stream>, std::string host)>;

// Limits and settings of a client; each limit is finite by default. A Duration of zero is a limit that has
// passed at once; Duration::max() is none. docs/client.md has them in a table, with the error of each.
struct ClientOptions {
  // --- The pool

  // Open connections to one origin, those on their way included (at least 1); further requests wait in line,
  // first come, first served.
  std::size_t connections_per_host_max = 8;
  // The same in all (at least 1). With so many open an idle one is closed for a new one; if none is idle, the
  // request waits in line.
  std::size_t connections_max = 256;
  // The time for which a request may wait in line; then it fails with timed_out (TimeLimit::queue), nothing
  // sent.
  Duration queue_timeout = 30s;
  // The requests that may wait in line, to whatever origins; one more fails with overloaded, nothing
  // sent.
  std::size_t queue_max = 1000;
  // The time for which an unused connection is kept. Less where the server announces less (Keep-Alive:
  // timeout), by a margin of 2 s, so that the server's close and our next request do not meet on the way. The
  // default is less than what servers usually keep (75 s: ours, nginx).
  Duration idle_timeout = 60s;
  // The age from which a connection is not kept any more: so that load spreads to new addresses of a name.
  Duration connection_age_max = 24h;
  // Unused connections in all, to whatever origins: the one unused longest is closed for one more. They are
  // closed, too, where a new connection finds no descriptor or no memory. 0: none is kept.
  std::size_t idle_connections_max = 100;
  // The same for one origin.
  std::size_t idle_connections_per_host_max = 100;

  // --- The time limits of a request; docs/client.md draws them

  // Name, addresses and, for https, the handshake. A connection that is on its way when its call is given up
  // goes on within this limit, for the next request.
  Duration connect_timeout = 10s;
  // The handshake alone, within that.
  Duration handshake_timeout = 10s;
  // From the request being sent to the response's head, and anew from each interim response (1xx, 32 at
  // most): by those a server says that it is still at work.
  Duration head_timeout = 30s;
  // A read of the response's body that is pending this long while nothing is sent either, or a write of which
  // the transport takes less than 1 KiB in that time. The time in which nobody reads, or in which the
  // request's own source has nothing to send, does not count.
  Duration stall_timeout = 30s;
  // A response's body of which fewer than `slow_body_bytes` come in `slow_body_time` of waiting for them
  // fails with timed_out (TimeLimit::body). 0: there is no such limit.
  std::uint64_t slow_body_bytes = 0;
  Duration slow_body_time = 30s;
  // A read of the request's own source that is pending this long (TimeLimit::write): a call whose source has
  // gone silent holds its connection for nothing. Longer than the others, as a source may be live data.
  Duration source_timeout = 300s;
  // With "Expect: 100-continue" in the request: how long to wait for the server's word before sending.
  Duration expect_continue_timeout = 1s;
  std::size_t head_bytes_max = 64 * KiB;
  // Null: a https URL fails with Errc::unsupported. (tls.h has one.)
  Encrypt encrypt = nullptr;
  // The way to the servers, such as through proxies (proxy.h). Null: straight, over the network.
  std::shared_ptr<const ClientRoute> route = nullptr;
  // Refuses http URLs, before a name is looked up: invalid_argument, Fault::https_only.
  bool https_only = false;
};

// Sends each request over a kept connection of its origin or a new one, whichever is there first, and yields
// the response as soon as its head is there; the body is read from the connection as it is asked for, with
// back-pressure. A plain body that has arrived with the head is in memory, and its connection free, at once.
//
// Fails: invalid_argument (a request that may not be sent as it is), unsupported (https without `encrypt`),
// not_found, unavailable (with nothing sent), overloaded (a full queue, or a local resource), reset,
// timed_out, bad_message, limit_exceeded (the response's head). Statuses are never failures. An error says
// whom it was about (Error::peer: the origin), which attempt it was where a Retry counts them, and whether
// anything may have been sent; timed_out says which of the limits above it was (Error::limit).
//
// A connection goes back into the pool when its response was read to the end and both sides want to keep
// it. Destroying a call gives up its place in line, and lets a connection that is on its way come for the
// next one; a kept connection on which nothing was sent yet stays as it is. Later, destroying a call or a
// response half-way closes its connection: the next request never sees what was meant for the last one.
//
// A kept connection that turns out to be dead before the response's first byte is replaced once, silently, by
// a fresh one, if the request can be sent again and is idempotent (by its method or an Idempotency-Key), or
// not a byte of it had left. A 408 that a server sends as it closes a kept connection is no response to the
// next request either: one that is idempotent is sent again.
//
// Copies share the pool. Destroy calls and responses, then the last copy, then the network and the reactor.
class Client {
 public:
  // `network` must outlive the client.
  explicit Client(Network& network, ClientOptions options = ClientOptions());

  Task<Response> operator()(Request request) const;

  // Connections that are open and unused now.
  std::size_t idle_connections() const;
  // Connections that are open now, in use or not, and those on their way.
  std::size_t open_connections() const;
  // Requests that wait in line for a connection now.
  std::size_t requests_in_line() const;
  // Origins that something is known of: with a call, a response or an unused connection. Others are
  // forgotten.
  std::size_t origins() const;
  // Connections made since the beginning, for tests and statistics.
  std::uint64_t connections_made() const;

 private:
  std::shared_ptr<detail::Pool> pool_;
};

}  // namespace escapement::http
