// Server: gives every HTTP/1.1 request that arrives to a Service.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <escapement/core/event.h>
#include <escapement/io/http/parser.h>
#include <escapement/io/http/service.h>
#include <escapement/io/stream.h>

namespace escapement::http {

// Every limit is finite by default: a server is exposed to strangers.
struct ServerOptions {
  // From the first byte of a request to the end of its head; else 408 and close.
  Duration header_timeout = 10s;
  // Between a response and the next request's first byte; also before the first. Then the connection closes.
  Duration keep_alive = 75s;
  // A read of the request's body, or a write of the response, that makes no progress this long. Close.
  Duration stall_timeout = 30s;
  // From a complete head to the handler's answer; else 503 and close. `Duration::max()`: no limit.
  Duration handler_timeout = Duration::max();
  std::size_t head_bytes_max = 16 * KiB;                // more: 431
  std::size_t header_count_max = 100;                   // more: 431
  std::uint64_t body_bytes_max = 16 * MiB;              // more: 413
  std::size_t connections_max = 10'000;                 // more wait to be accepted
  std::uint64_t requests_per_connection_max = 100'000;  // the last answer says "close"
};

struct ServerStatistics {
  std::uint64_t connections = 0;      // accepted
  std::uint64_t requests = 0;         // given to the service
  std::uint64_t refused = 0;          // answered by the server itself: malformed, too large, too slow
  std::uint64_t failed_handlers = 0;  // answered 500
  std::size_t open = 0;               // connections now
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
// `on_failure`); one that fails with Errc::reset wants no answer sent: its connection is reset. A failure
// while a body is under way closes the connection: an incomplete response must not look complete.
//
// A handler ends the connection after its answer by "Connection: close" in the response.
//
// The handler's request refers to the connection: its body fails with cancelled once the request is over.
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

  // Serves one connection that somebody else accepted, until it ends.
  Task<> serve_connection(std::unique_ptr<Stream> stream);

  // Graceful: stops listening, closes idle connections, lets the others finish their request (answered with
  // "Connection: close"), and cuts what is left after `grace`. A second call shortens the grace. `listen`
  // returns when all are gone.
  void shutdown(Duration grace = 10s);
  const ShutdownReport& shutdown_report() const { return report_; }

  const ServerStatistics& statistics() const { return statistics_; }

  // Told of failed handlers and broken connections. May be empty.
  std::function<void(const Error&)> on_failure;

 private:
  class Connection;
  struct Conversation;
  struct Member : ListNode {
    Connection* connection = nullptr;
  };

  Task<> accept_all(Listener& listener, const void* owner);
  Task<> drain();
  Task<> converse(Conversation& conversation);
  Task<bool> next_request(Conversation& conversation);
  Task<bool> answer(Conversation& conversation, MessageHead head);
  Task<> refuse(Conversation& conversation, int status);
  Task<> linger(Conversation& conversation);
  Response failure_response(Conversation& conversation, const Error& error);
  std::string_view date(Reactor& reactor);
  void close_idle();
  void close_all(const void* owner);
  void tell(const Error& error);

  Service service_;
  ServerOptions options_;
  ServerStatistics statistics_;
  ShutdownReport report_;
  List<Member> connections_;
  Semaphore slots_;
  Event stopping_;
  Event changed_;  // a connection went, or the grace was shortened
  Duration grace_ = Duration::max();
  std::string date_;
  std::int64_t date_second_ = -1;
};

}  // namespace escapement::http
