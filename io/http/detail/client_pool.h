// The connections of one Client: those that are in use, those that are kept for the next request, and the
// line of requests that wait for one.

#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/detail/client_connection.h>
#include <escapement/timers/entry.h>

namespace escapement::http::detail {

class Pool;

// An open connection nobody uses, with the timer that ends it.
class IdleConnection final : public Runnable {
 public:
  IdleConnection(Pool& pool, const std::string& origin, std::unique_ptr<ClientConnection> c)
      : connection(std::move(c)), origin_(origin), pool_(pool) {}
  void run() override;  // idle for too long

  const std::string& origin() const { return origin_; }

  std::unique_ptr<ClientConnection> connection;
  TimerEntry timer;

 private:
  const std::string& origin_;  // the key of its Origin, which stays as long as this does
  Pool& pool_;
};

// Calls and responses share it with the client.
class Pool {
 public:
  Pool(Network& n, ClientOptions o) : network(n), options(std::move(o)) {}
  Pool(const Pool&) = delete;

  // The state of one origin. Forgotten when nobody uses it and no connection to it is kept.
  struct Origin {
    explicit Origin(std::size_t connections_max) : slots(connections_max) {}
    Semaphore slots;
    std::vector<std::list<IdleConnection>::iterator> idle;  // the most recently used last
    std::size_t users = 0;
  };
  using Origins = std::map<std::string, Origin>;

  // Keeps an origin from being forgotten.
  class Use {
   public:
    Use(Pool& pool, const std::string& origin) : pool_(pool), at_(pool.at(origin)) { ++at_->second.users; }
    Use(const Use&) = delete;
    ~Use() {
      --at_->second.users;
      pool_.forget_unused(at_);
    }
    const std::string& name() const { return at_->first; }
    Origin& origin() { return at_->second; }

   private:
    Pool& pool_;
    Origins::iterator at_;
  };

  // The most recently used connection that is still good; null when there is none.
  std::unique_ptr<ClientConnection> take_idle(Origin& origin);
  // Keeps an open connection for `idle_for`, and at most `idle_connections_max` of all.
  void put_back(Reactor& reactor, Use& use, std::unique_ptr<ClientConnection> connection, Duration idle_for);
  // Closes the one that has been idle longest: its descriptor and its memory are free then. False: none is.
  bool close_oldest_idle();
  void close(IdleConnection& which);

  std::size_t idle() const { return idle_.size(); }
  std::size_t origins() const { return origins_.size(); }

  Network& network;
  ClientOptions options;
  std::uint64_t made = 0;

 private:
  Origins::iterator at(const std::string& origin);
  void forget_unused(Origins::iterator at) {
    if (at->second.users == 0 && at->second.idle.empty()) origins_.erase(at);
  }

  Origins origins_;
  std::list<IdleConnection> idle_;  // the one that has been idle longest first
};

// A place among the connections to an origin, the connection in use there, and what it is used for. Gives the
// connection back when it may be kept, closes it otherwise.
class Lease {
 public:
  Lease(std::shared_ptr<Pool> pool, Reactor& reactor, const std::string& origin)
      : pool_(std::move(pool)), reactor_(reactor), use_(*pool_, origin) {}
  Lease(const Lease&) = delete;
  ~Lease();

  const std::string& name() const { return use_.name(); }
  Pool::Origin& origin() { return use_.origin(); }

  std::unique_ptr<ClientConnection> connection;
  std::unique_ptr<ClientExchange> exchange;  // gone before the connection is given back
  bool reused = false;                       // the connection had an exchange before this one

 private:
  std::shared_ptr<Pool> pool_;
  Reactor& reactor_;
  Pool::Use use_;

 public:
  std::optional<Semaphore::Permit> slot;  // last: given up before the origin and the pool
};

}  // namespace escapement::http::detail
