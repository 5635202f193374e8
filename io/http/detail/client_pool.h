// The connections of one Client: those in use, those kept for the next request, those being made, and the
// line of requests that wait for one.
//
// It counts requests, not connections: a connection says how many more it takes (ClientConnection::room), and
// is offered to those that wait, or kept, whenever that is not zero. HTTP/1.1 takes one at a time.
//
//                        take: a connection with room, the last used first
//     call -------------------------------------------------------------------------> Lease
//       | none has room                                                                 |
//       v                     a free place: begins to connect                           | its end
//     Waiter  ------------------------------------------> Connecting                    v
//       |  ^  no place: stands in line until there is one     | done             room: the first Waiter,
//       |  +--------------------------------------------------+--------------+   or kept until it is used,
//       v     whichever comes first: a new connection, or one that was given |   idle for too long, too old,
//     Lease   back; then the new one goes to the next that waits, or is kept +-- or closed by the server

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/list.h>
#include <escapement/core/task.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/detail/call_report.h>
#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/detail/client_shared.h>
#include <escapement/timers/entry.h>

namespace escapement::http::detail {

class Pool;
class Connecting;
class Waiter;
struct Origin;

// The name of an origin. What else could tell connections apart, the proxy and the TLS settings, is the same
// throughout a pool, because it belongs to the client: its Network, ClientOptions::route and encrypt.
struct OriginKey {
  explicit OriginKey(const Url& url)
      : encrypted(url.scheme() == "https"), port(url.port()), host(url.host()) {}
  bool is(const Url& url) const {
    return port == url.port() && encrypted == (url.scheme().size() == 5) && same(host, url.host());
  }
  bool encrypted;
  std::uint16_t port;
  std::string host;
};

// Compares with a URL in place, so that nothing is copied to look one up.
struct OriginLess {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    if (port(a) != port(b)) return port(a) < port(b);
    if (encrypted(a) != encrypted(b)) return encrypted(a) < encrypted(b);
    return host(a) < host(b);
  }

 private:
  static std::uint16_t port(const OriginKey& key) { return key.port; }
  static std::uint16_t port(const Url& url) { return url.port(); }
  static bool encrypted(const OriginKey& key) { return key.encrypted; }
  static bool encrypted(const Url& url) { return url.scheme() == "https"; }
  static std::string_view host(const OriginKey& key) { return key.host; }
  static std::string_view host(const Url& url) { return url.host(); }
};

// An open connection of the pool.
class PooledConnection final : public Runnable {
 public:
  PooledConnection(Pool& p, Origin& o, std::unique_ptr<ClientConnection> c, Instant retires)
      : pool(p), origin(o), connection(std::move(c)), retires_at(retires), idle_place(*this) {}
  // While it is idle: its time has expired, or something has happened to it.
  void run() override;

  // Its place among all idle connections.
  struct IdlePlace : ListNode {
    explicit IdlePlace(PooledConnection& c) : connection(c) {}
    PooledConnection& connection;
  };

  Pool& pool;
  Origin& origin;
  std::unique_ptr<ClientConnection> connection;
  Instant retires_at;           // not kept from then on
  Instant idle_until;           // not kept from then on either
  IdlePlace idle_place;         // linked while no exchange is under way
  TimerEntry timer;             // while it is idle
  std::uint32_t exchanges = 0;  // under way
  bool reused = false;          // it is not new: the server may have closed it meanwhile
  bool watched = false;         // while it is idle, it says what happens to it
};

// The state of one origin, forgotten when there is no connection to it and nobody wants one.
struct Origin {
  explicit Origin(const Url& url) : name(url.origin()) {}

  const std::string name;
  const OriginKey* key = nullptr;            // under which it stands in the pool
  std::vector<PooledConnection*> with_room;  // the most recently used last
  std::vector<std::unique_ptr<Connecting>> connecting;
  List<Waiter> waiting;  // in the order in which they are served
  std::size_t open = 0;  // connections
  int holds = 0;         // it is not to be forgotten now
};

// A new connection on its way. It goes on when the call that wanted it is gone: the next one may use it.
class Connecting final : public Runnable {
 public:
  Connecting(Pool& pool, Origin& origin, const Url& url, Waiter& waiter);
  // Starts it; where the waiter's task sees task-local values, with the next batch, so that this sees them.
  void start(Reactor& reactor);
  void run() override;  // it is to start, or has finished
  const Runnable* awaited_by(std::shared_ptr<const escapement::detail::LocalValues>& found) const override;

  // Notes what it waits for now.
  void waits_for(TimeLimit what);
  Origin& origin() { return origin_; }

  Waiter* waiter;  // for whom it was begun; null: was served by another one, or is gone

 private:
  void begin(Reactor& reactor);

  Pool& pool_;
  Origin& origin_;
  escapement::detail::ChildTask<std::unique_ptr<ClientConnection>> task_;
  std::shared_ptr<const escapement::detail::LocalValues> values_;  // the waiter's; null: it has none
  Reactor* to_start_in_ = nullptr;
};

// A request on a connection. Its end gives the connection back when it may be kept, and closes it otherwise.
class Lease {
 public:
  // Begins an exchange (checked: there is room).
  explicit Lease(PooledConnection& connection);
  Lease(Lease&& other) noexcept
      : exchange(std::move(other.exchange)),
        connection_(std::exchange(other.connection_, nullptr)),
        reused_(other.reused_) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  const std::string& name() const { return connection_->origin.name; }
  // Returns whether the connection is not new, so that the server may have closed it meanwhile.
  bool reused() const { return reused_; }

  std::unique_ptr<ClientExchange> exchange;

 private:
  PooledConnection* connection_;
  bool reused_;
};

// A call that waits for a connection.
class Waiter : public ListNode {
 public:
  // `fresh`: only a connection that is new will do; it is served before others, as it has waited before.
  Waiter(Pool& pool, Origin& origin, escapement::detail::PromiseBase& task, CallReport& report,
         const Url& url, bool fresh);
  Waiter(const Waiter&) = delete;
  // Gives back what it was granted: it goes to the next one.
  ~Waiter();

  bool settled() const { return granted.has_value() || failure.has_value(); }
  void fail(Error error) {
    failure.emplace(std::move(error));
    wake();
  }
  void wake() {
    if (waits) task.reactor().ready(task);
  }

  // Its place in the line of those for which there is no connection to wait for yet.
  struct LinePlace : ListNode {
    explicit LinePlace(Waiter& w) : waiter(w) {}
    Waiter& waiter;
  };

  Pool& pool;
  Origin& origin;
  escapement::detail::PromiseBase& task;
  CallReport& report;
  const Url& url;
  const bool fresh;
  const std::uint64_t number;  // the order in which they came
  LinePlace line_place;
  Connecting* connecting = nullptr;
  std::optional<Lease> granted;
  std::optional<Error> failure;
  bool waits = false;  // the task is suspended
};

// Calls and responses share it with the client.
class Pool {
 public:
  Pool(Network& n, ClientOptions o) : network(n), shared(std::move(o)) {}
  Pool(const Pool&) = delete;
  ~Pool();

  const ClientOptions& options() const { return shared.options; }

  // Begins on the most recently used connection to this origin that is still good; nothing if there is none.
  std::optional<Lease> take(const Url& url, Reactor& reactor);
  // Waits for a connection. Fails as connecting does; timed_out (TimeLimit::queue) and overloaded, with
  // nothing sent, if it has to stand in line for too long, or the line is full. `dead`, if any, is given up
  // once this stands first in line: only a new connection is taken for it.
  Task<Lease> wait_for(const Url& url, CallReport& report, std::optional<Lease>& dead);

  // Closes the connection that has been idle longest: its descriptor and its memory are free then. False:
  // none is.
  bool close_oldest_idle();

  std::size_t idle() const { return idle_count_; }
  std::size_t open() const { return open_; }
  std::size_t in_line() const { return in_line_; }
  std::size_t origins() const { return origins_.size(); }

  Network& network;
  ClientShared shared;
  Output spare_head;  // room for the next request's head
  std::uint64_t made = 0;

 private:
  friend class PooledConnection;
  friend class Connecting;
  friend class Waiter;
  friend class Lease;
  using Origins = std::map<OriginKey, Origin, OriginLess>;
  class Hold;

  Origin* find(const Url& url);
  Origin& at(const Url& url);
  void forget_unused(Origin& origin);

  // Waiting and connecting.
  // Return whether there are as many connections as there may be: in all, and to an origin. Those on their
  // way count, and a limit of zero is one.
  bool full() const;
  bool full(const Origin& origin) const;
  bool may_connect(const Origin& origin) const;
  void stand_in_line(Waiter& waiter, bool first);
  void leave_line(Waiter& waiter);
  void connect_for(Waiter& waiter);
  void serve_line();
  void connected(Connecting& which, Result<std::unique_ptr<ClientConnection>> made);
  PooledConnection* add(Origin& origin, std::unique_ptr<ClientConnection> connection);
  void grant(Waiter& waiter, PooledConnection& connection);
  bool others_come_first(const Waiter& waiter) const;

  // Connections that are given back.
  void ended(PooledConnection& connection);
  void offer(PooledConnection& connection, bool is_new);
  void keep(PooledConnection& connection);
  void news_of(PooledConnection& connection);
  bool still_good(PooledConnection& connection, Reactor& reactor);
  void leave_idle(PooledConnection& connection);
  void drop(PooledConnection& connection);
  void close(PooledConnection& connection);

  Origins origins_;
  Origin* last_ = nullptr;                  // the one asked for last
  Reactor* reactor_ = nullptr;              // of the last call
  List<PooledConnection::IdlePlace> idle_;  // the one that has been idle longest first
  List<Waiter::LinePlace> line_;
  std::size_t idle_count_ = 0;
  std::size_t in_line_ = 0;
  std::size_t open_ = 0;       // connections, and those on their way
  std::uint64_t waiters_ = 0;  // so far
  bool serving_ = false;       // serve_line is on the stack
};

}  // namespace escapement::http::detail
