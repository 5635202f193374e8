// Server: gives every HTTP/1.1 request that arrives to a Service.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/io/http/service.h>
#include <escapement/io/stream.h>

namespace escapement::http {

namespace detail {
class ServerConnection;
struct Conversation;
}  // namespace detail

// Every limit is finite by default: a server is exposed to strangers. Times end the connection when they are
// over; where a status is named, that is the answer first, if none has begun.
struct ServerOptions {
  // From the first byte of a request to the end of its head: 408.
  Duration head_timeout = 10s;
  // Between a response and the next request's first byte; also before the first. Whoever asks by name for the
  // connection to be kept ("Connection: keep-alive") is told, in whole seconds, by a Keep-Alive field.
  Duration idle_timeout = 75s;
  // From a complete head to the handler's answer, but for the time in which it waits for the request's body:
  // 503.
  Duration handler_timeout = 60s;
  // Reading the request's body, between two pieces of it: 408.
  Duration body_idle = 30s;
  // And all of it: at least so many bytes a second, on average, after the first `body_idle`; the time in
  // which the handler did not ask for more does not count. 0: no such limit. 408.
  std::uint64_t body_bytes_per_second_min = 256;
  // Sending each 64 KiB of a response, or the rest of it. A client that reads more slowly (2 KiB/s) ties up a
  // connection and its buffers just like one that reads nothing, and is cut off; reading a byte now and then
  // does not prolong it. Raise it for clients on slow lines.
  Duration write_stall = 30s;
  std::size_t head_bytes_max = 16 * KiB;    // more: 431
  std::size_t header_count_max = 100;       // more: 431
  std::uint64_t body_bytes_max = 16 * MiB;  // more: 413
  std::size_t connections_max = 10'000;     // more wait, one of each listener's accepted already
  // From one IPv4 address or one IPv6 network of 64 bits (io/host_key.h); more are reset. Behind a proxy:
  // raise.
  std::size_t connections_per_peer_max = 1'000;
  std::uint64_t requests_per_connection_max = 100'000;  // the last answer says "close"
  // Whether a client that has ended its direction (RFC 9112 section 9.6) gets the response that its handler
  // is still at work on. By default it is taken for gone, and the handler is cancelled, as soon as that waits
  // for something: a client that closed its socket, or was killed, looks the same until something is sent to
  // it, and its handler would work on for nobody. nginx (proxy_ignore_client_abort), Go's net/http and hyper
  // (half_close) choose alike. A response that is made without waiting is sent either way.
  bool half_close = false;
};

struct ServerStatistics {
  std::uint64_t connections = 0;      // accepted
  std::uint64_t turned_away = 0;      // of those: reset, as their peer had too many
  std::uint64_t requests = 0;         // given to the service
  std::uint64_t refused = 0;          // answered by the server itself: malformed, too large, too slow
  std::uint64_t failed_handlers = 0;  // answered with error_status()
  std::uint64_t abandoned = 0;        // whose client was gone before they were done
  std::size_t open = 0;               // connections now
};

// An answer that the server gave itself, to what it could not or would not give to the service.
struct Refusal {
  int status;
  std::string_view peer;  // "127.0.0.1:50000", as Request::peer
};

// What has become of the connections that were open when a shutdown began.
struct ShutdownReport {
  std::size_t idle_closed = 0;  // had no request in work
  std::size_t drained = 0;      // finished their request
  std::size_t cancelled = 0;    // were cut at the end of the grace period
};

// Serves HTTP/1.1 and 1.0: keep-alive, pipelining in order, chunked bodies in both directions, HEAD,
// "Expect: 100-continue" (sent when the handler first reads the body), lingering close after an answer that
// came before the whole request. A request is read strictly; what is malformed or too large gets the right
// 4xx and the connection closes. A failed handler is a 500 for that request only (its Error goes to
// `on_failure`), also where it throws before it yields a task; one that fails with Errc::reset wants no
// answer sent: its connection is reset. An answer that cannot be finished, whatever the reason, ends in a
// reset: it must not look complete.
//
// A client that goes away takes its handler's task with it, at once, also in the middle of a body that is
// made bit by bit (ServerOptions::half_close). What was answered without waiting is sent all the same.
//
// A handler ends the connection after its answer by "Connection: close" in the response.
//
// A handler may leave HTTP by a 101 (upgrade.h).
//
// The handler's request refers to the connection: its body fails with cancelled once the request is over.
//
// Observers, which are on_failure and on_refused below, the sink of an access log around the handler, and
// what a response's body holds, may cancel the task that serves, or serve_connection, and may shut down. The
// connection that they are told of is then closed as soon as their call has returned, all others at once.
// They may not destroy the Server (checked). A task that the server runs, of a handler, a body or a protocol,
// must not cancel what serves it, nor may a destructor that it calls: it would destroy itself (checked, as
// for every task). It calls `shutdown`.
//
// An idle connection holds an object of a few hundred bytes and one timer entry; buffers, parser and tasks
// are lent to it while a request is under way. A server belongs to one reactor.
class Server {
 public:
  explicit Server(Service service, ServerOptions options = ServerOptions());
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Listens at `address` (stream.h: Network::listen) and serves until `shutdown` has finished. Fails as
  // listen does. Cancelling it closes every connection at once. The server must outlive it; several may run.
  Task<> listen(Network& network, std::string address);
  // The same on a listener made before.
  Task<> serve(std::unique_ptr<Listener> listener);

  // Serves one connection that somebody else accepted, until it ends. Cancelling it closes the connection.
  Task<> serve_connection(std::unique_ptr<Stream> stream);

  // Graceful: accepts who has connected and then stops listening, closes idle connections, lets those that
  // have a request, or the bytes of one, finish it (answered with "Connection: close"), and cuts what is left
  // after `grace`. A second call shortens the grace. `listen` returns when all are gone.
  void shutdown(Duration grace = 10s);
  const ShutdownReport& shutdown_report() const { return report_; }
  // Finishes when `shutdown` is called, at once if it was. For handlers that would go on and on, and for
  // protocols (upgrade.h) that have a way to say goodbye. The server must outlive it.
  Task<> shutdown_begins();

  const ServerStatistics& statistics() const { return statistics_; }

  // Told of failed handlers and broken connections. May be empty. What these two throw is dropped.
  std::function<void(const Error&)> on_failure;
  // Told of each such answer but 503, for logs and counts (AccessLog::refused, Metrics::refused). Nearly all
  // are to requests that the service never saw; where a body came too late (408) its layers tell of it as
  // well, as of a request that was given up. May be empty.
  std::function<void(const Refusal&)> on_refused;

 private:
  friend class detail::ServerConnection;
  struct Member : ListNode {
    detail::ServerConnection* connection = nullptr;
    bool closes = false;  // for close_marked
  };

  Task<> accept_all(Listener& listener, const void* owner);
  void accepted(std::unique_ptr<Stream> stream, Semaphore::Permit slot, Reactor& reactor, const void* owner);
  Task<> accept_backlog(Listener& listener, const void* owner);
  Task<> drain();
  void close_idle();
  void close_all(const void* owner);
  void close_marked();
  void leave_peer(const std::optional<HostKey>& peer);
  void tell(const Error& error);
  void tell(const Refusal& refusal);
  // The Date field, made once a second.
  std::string_view date_line(Reactor& reactor) {
    if (reactor.now() >= date_changes_ || date_line_.empty()) make_date_line(reactor);
    return date_line_;
  }
  void make_date_line(Reactor& reactor);
  // Announces ServerOptions::idle_timeout; empty where there is nothing to announce.
  std::string kept_lines_;
  // What a connection that is not idle needs; kept for the next one when it is given back, as at rest.
  std::unique_ptr<detail::Conversation> lend_conversation();
  void take_back(std::unique_ptr<detail::Conversation> conversation);

  Service service_;
  ServerOptions options_;
  ServerStatistics statistics_;
  ShutdownReport report_;
  List<Member> connections_;
  std::map<HostKey, std::size_t> per_peer_;
  std::vector<std::unique_ptr<detail::Conversation>> spare_;
  Semaphore slots_;
  Event stopping_;
  Event changed_;    // a connection went, or the grace was shortened
  int at_work_ = 0;  // calls of its own on the stack that may run code of others
  Duration grace_ = Duration::max();
  std::string date_line_;
  Instant date_changes_;
};

}  // namespace escapement::http
