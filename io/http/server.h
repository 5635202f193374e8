// Server: gives each HTTP request that arrives to a Service.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <escapement/core/event.h>
#include <escapement/io/http/service.h>
#include <escapement/io/stream.h>

namespace escapement {
class TimerEntry;
}

namespace escapement::http {

namespace detail {
struct ServerShared;
enum class ServeId : std::uint64_t;
}  // namespace detail

// Limits of a server; each is finite by default. When a time limit expires the connection is closed. If a
// status is listed and no response has started, that response is sent first.
struct ServerOptions {
  // From the first byte of a request to the end of its head: 408.
  Duration head_timeout = 10s;
  // Between a response and the next request's first byte; also before the first. Announced, in whole seconds,
  // by a Keep-Alive field to clients that ask for "Connection: keep-alive" by name.
  Duration idle_timeout = 75s;
  // From a complete request head to the handler's response, excluding time spent waiting for the request
  // body: 503.
  Duration handler_timeout = 60s;
  // Between two pieces of a request body that the handler reads: 408.
  Duration body_idle = 30s;
  // The average rate at which a request body must arrive, in bytes a second, after the first `body_idle`;
  // time in which the handler does not ask for more does not count. 0: no such limit. 408.
  std::uint64_t body_bytes_per_second_min = 256;
  // Sending each 64 KiB of a response, or the rest of it. A client that reads more slowly (2 KiB/s) ties up a
  // connection and its buffers like one that reads nothing, and its connection is reset; reading a byte now
  // and then does not extend the limit. Raise it for clients on slow lines.
  Duration write_stall = 30s;
  std::size_t head_bytes_max = 16 * KiB;    // more: 431
  std::size_t header_count_max = 100;       // more: 431
  std::uint64_t body_bytes_max = 16 * MiB;  // more: 413
  std::size_t connections_max = 10'000;     // more wait; each listener has accepted one of those
  // From one IPv4 address or one IPv6 network of 64 bits (io/host_key.h); more are reset. Raise it behind a
  // proxy.
  std::size_t connections_per_peer_max = 1'000;
  std::uint64_t requests_per_connection_max = 100'000;  // the last response says "close"
  // True: a client that has ended its direction (RFC 9112 section 9.6) still gets the response that its
  // handler is working on. By default it counts as disconnected, and the handler is cancelled as soon as it
  // waits for something: a client that closed its socket, or was killed, looks the same until something is
  // sent to it, and its handler would work for nobody. nginx (proxy_ignore_client_abort), Go's net/http and
  // hyper (half_close) choose alike. A response that is made without waiting is sent either way.
  bool half_close = false;
};

// Counts since the server was made, and the connections open now.
struct ServerStatistics {
  std::uint64_t connections = 0;      // accepted
  std::uint64_t turned_away = 0;      // of those: reset, because their peer had too many
  std::uint64_t requests = 0;         // given to the service
  std::uint64_t refused = 0;          // answered by the server itself: malformed, too large, too slow
  std::uint64_t failed_handlers = 0;  // their response was error_status() of the error
  std::uint64_t abandoned = 0;        // requests whose client disconnected before the response
  std::size_t open = 0;               // connections now
};

// A response that the server sent by itself, to something that it did not give to the service.
struct Refusal {
  int status;             // of the response
  std::string_view peer;  // "127.0.0.1:50000", as Request::peer
};

// Counts the connections that were open when a shutdown began, by how they ended.
struct ShutdownReport {
  std::size_t idle_closed = 0;  // had no request in flight
  std::size_t drained = 0;      // completed their request
  std::size_t cancelled = 0;    // were closed at the end of the grace period
};

// Serves HTTP/1.1 and 1.0: keep-alive, pipelining in order, chunked bodies in both directions, HEAD,
// "Expect: 100-continue" (sent when the handler first reads the body), lingering close after a response that
// came before the whole request. Requests are read strictly; one that is malformed or too large gets the
// right 4xx, and the connection is closed. The states of a connection, and the events in each, are listed in
// h1/server_connection.h.
//
// A handler that fails answers its request, and no other, with a 500 or 503 (error_status); its Error is
// reported to `on_failure`.
// That includes a service that throws before it returns a task. A handler that fails with Errc::reset wants
// no response: its connection is reset. A response that cannot be completed, whatever the reason, ends in a
// reset: it must not look complete.
//
// When a client disconnects, its handler's task is cancelled at once, also in the middle of a body that is
// made piece by piece (ServerOptions::half_close). A response that was made without waiting is sent all the
// same.
//
// A handler closes the connection after its response by "Connection: close" in the response. It may leave
// HTTP by a 101 (upgrade.h).
//
// The handler's request refers to the connection: its body fails with cancelled once the request is over.
//
// Observers, which are on_failure and on_refused below, the sink of an access log around the handler, and the
// attachments of a response's body, may cancel the task that serves, or serve_connection, and may call
// `shutdown`. The connection that they are called for is then closed as soon as their call has returned, all
// others at once. They must not destroy the Server (checked). A task that the server runs, of a handler, a
// body or a protocol, must not cancel the task that serves it, nor may a destructor that it calls: it would
// destroy itself (checked, as for every task). It calls `shutdown`.
//
// An idle connection is an object of a few hundred bytes and one timer entry; buffers, parser and tasks are
// lent to it while a request is in flight. A server belongs to one reactor.
class Server {
 public:
  // Serves `service` within the limits of `options`. Does nothing before `listen` or `serve`.
  explicit Server(Service service, ServerOptions options = ServerOptions());
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Listens at `address` (stream.h: Network::listen) and serves until `shutdown` has finished. Fails as
  // listen does. Cancelling it closes every connection at once. The server must outlive it; several may run.
  Task<> listen(Network& network, std::string address);
  // The same on a listener made before.
  Task<> serve(std::unique_ptr<Listener> listener);

  // Serves one connection that was accepted elsewhere, until it ends. Cancelling it closes the connection;
  // `shutdown` ends it as it ends those that `listen` has accepted. It counts against no limit on the number
  // of connections. The server must outlive it.
  Task<> serve_connection(std::unique_ptr<Stream> stream);

  // Shuts down gracefully: accepts the connections that clients have made, as many as connections_max allows
  // and one more for each listener, then stops listening; closes idle connections; lets in-flight requests
  // complete, also those of which only some bytes have arrived, with "Connection: close" in the response;
  // closes the connections that are left after `grace`, which counts from the first call. A second call can
  // shorten it. `listen` returns when all connections have gone, those of serve_connection too, or `grace` is
  // over; serve_connection returns when its own has gone.
  void shutdown(Duration grace = 10s);
  const ShutdownReport& shutdown_report() const;
  // Finishes when `shutdown` is called, at once if it was. For handlers that would never end by themselves,
  // and for protocols (upgrade.h) that have a way to say goodbye. The server must outlive it.
  Task<> shutdown_begins();

  // Returns the counts so far. Valid as long as the server.
  const ServerStatistics& statistics() const;

  // Called with the errors of failed handlers and broken connections. May be empty. Exceptions that these two
  // observers throw are dropped.
  std::function<void(const Error&)> on_failure;
  // Called for each response that the server sent by itself, other than 503, for logs and counts
  // (AccessLog::refused, Metrics::refused). Nearly all are to requests that the service never saw; when a
  // body came too late (408) the service's layers report it as well, as an abandoned request. May be empty.
  std::function<void(const Refusal&)> on_refused;

 private:
  // One call of `serve`, for the task tree.
  struct Served {
    const Server& server;
    detail::ServeId id;
  };
  static void visit_tasks(const void* served, escapement::detail::TaskVisitor& visitor);
  class Close;

  Task<> accept_all(Listener& listener, detail::ServeId id, std::unique_ptr<Stream>& stream);
  Task<> accept_backlog(Listener& listener, detail::ServeId id, std::unique_ptr<Stream>& waiting);
  void take(std::unique_ptr<Stream> stream, std::optional<Semaphore::Permit> permit, Reactor& reactor,
            detail::ServeId id);
  bool in_grace(TimerEntry& timer, escapement::detail::PromiseBase& task);
  void close_idle();
  void close_all();
  void close_all(detail::ServeId id);
  void close_marked();

  std::unique_ptr<detail::ServerShared> shared_;  // the part that its connections work with
  std::uint64_t serve_calls_ = 0;
  Duration grace_ = Duration::max();
  Instant shutdown_began_ = Instant::never();
};

}  // namespace escapement::http
