// ServerShared: the part of a Server that its connections work with.
//
// A Server owns one, and each of its connections refers to it. Whatever protocol a connection speaks, it
// finds here the service, the options, the counts, whom to report to and the buffers that it borrows. A
// connection has no other way to its server.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/event.h>
#include <escapement/core/list.h>
#include <escapement/core/reactor.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/service.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

class ServerConnection;
class ActiveStatePool;

// Names one call of Server::serve, so that the connections that it accepted can be closed with it.
// Connections that were given to the server by hand have `none`.
enum class ServeId : std::uint64_t { none = 0 };

// A connection's place in its server's list.
struct ServerMember : ListNode {
  explicit ServerMember(ServerConnection& c, ServeId id) : connection(c), serve_id(id) {}
  ServerConnection& connection;
  ServeId serve_id;
  bool closes = false;  // a mark of Server::close_marked
};

struct ServerShared {
  using OnFailure = std::function<void(const Error&)>;
  using OnRefused = std::function<void(const Refusal&)>;

  ServerShared(Service service, const ServerOptions& options, const OnFailure& on_failure,
               const OnRefused& on_refused);
  ServerShared(const ServerShared&) = delete;
  ~ServerShared();

  // Calls the observer, if there is one. Drops what it throws.
  void report(const Error& error);
  void report(const Refusal& refusal);

  // Returns the Date field, which is made once a second.
  std::string_view date_line(Reactor& reactor) {
    if (reactor.now() >= date_changes_ || date_line_.empty()) make_date_line(reactor);
    return date_line_;
  }

  // Returns how many connections this peer has, to be compared with the limit and counted up. Null for a peer
  // that has no address.
  std::size_t* connections_of(const std::optional<HostKey>& peer);
  // Counts down again when a connection that was counted has gone.
  void release_peer(const std::optional<HostKey>& peer);

  bool shutting_down() const { return stopping.is_set(); }

  const Service service;
  const ServerOptions options;
  ServerStatistics statistics;
  ShutdownReport shutdown_report;
  List<ServerMember> connections;
  // Buffers, parsers and what else an HTTP/1.1 connection borrows while it is not idle.
  std::unique_ptr<ActiveStatePool> active_states;
  Semaphore slots;
  Event stopping;  // set when a shutdown begins
  Event changed;   // pulsed when a connection has gone, or the grace period was shortened
  int busy = 0;    // calls on the stack that may run code of others: the server must not be destroyed now
  std::string keep_alive_lines;  // announces ServerOptions::idle_timeout; empty: there is nothing to announce

 private:
  void make_date_line(Reactor& reactor);

  const OnFailure& on_failure_;
  const OnRefused& on_refused_;
  std::map<HostKey, std::size_t> per_peer_;
  std::string date_line_;
  Instant date_changes_;
};

}  // namespace escapement::http::detail
