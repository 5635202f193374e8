#include <escapement/io/http/server.h>

#include <algorithm>

#include <escapement/core/combine.h>
#include <escapement/io/http/h1/server_connection.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

using escapement::detail::catching;
using escapement::detail::PromiseBase;
using escapement::detail::suspend_until_ready;
using escapement::detail::this_task;

constexpr Duration accept_pause = 50ms;  // when descriptors or memory have run out
constexpr std::size_t spare_max = 16;    // of 16 KiB and what an answer took

constexpr int backlog_rounds_max = 16;

Task<> let_others_run() { co_await yield(); }

ParserLimits limits_of(const ServerOptions& options) {
  ParserLimits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.header_count_max = options.header_count_max;
  limits.body_bytes_max = options.body_bytes_max;
  return limits;
}

}  // namespace

Server::Server(Service service, ServerOptions options)
    : service_(std::move(service)),
      options_(options),
      slots_(std::max<std::size_t>(1, options.connections_max)) {
  spare_.reserve(spare_max);  // connections that go give back without asking for memory
  if (options.idle_timeout < Duration(1s) || options.idle_timeout == Duration::max()) return;
  const std::int64_t seconds = options.idle_timeout / Duration(1s);
  kept_lines_ = "Connection: keep-alive\r\nKeep-Alive: timeout=" + std::to_string(seconds) + "\r\n";
}

Server::~Server() {
  ESC_CHECK(at_work_ == 0,
            "a Server was destroyed from inside itself: by a handler, or by whom it tells something?");
  close_all(nullptr);
}

Task<> Server::listen(Network& network, std::string address) {
  std::unique_ptr<Listener> listener = co_await network.listen(address);
  co_await serve(std::move(listener));
}

Task<> Server::serve(std::unique_ptr<Listener> listener) {
  // Cancelled or done: the connections that were accepted here go with it.
  class Owner {
   public:
    explicit Owner(Server& server) : server_(server) {}
    Owner(const Owner&) = delete;
    ~Owner() { server_.close_all(this); }

   private:
    Server& server_;
  };
  Owner owner(*this);
  co_await race(accept_all(*listener, &owner), stopping_.wait());
  co_await accept_backlog(*listener, &owner);
  listener.reset();
  close_idle();
  co_await drain();
  // In a step of its own: whoever is told of a request that is cut may cancel this task.
  class Close final : public Runnable {
   public:
    Close(Server& server, const void* owner, PromiseBase& task)
        : server_(server), owner_(owner), task_(task) {}
    void run() override {
      task_.reactor().ready(task_);
      server_.close_all(owner_);
    }

   private:
    Server& server_;
    const void* owner_;
    PromiseBase& task_;
  };
  PromiseBase& self = co_await this_task;
  Close close(*this, &owner, self);
  self.reactor().ready(close);
  co_await suspend_until_ready;
}

Task<> Server::accept_all(Listener& listener, const void* owner) {
  Reactor& reactor = co_await this_reactor;
  for (;;) {
    // Where memory has run out there may not even be enough for a task that fails.
    std::optional<Task<std::unique_ptr<Stream>>> accepting;
    auto begin = [&] { accepting.emplace(listener.accept()); };
    std::optional<Error> failure = catching(begin);
    if (!failure) {
      Result<std::unique_ptr<Stream>> stream = co_await std::move(*accepting).result();
      if (stream) {
        // Only now: a slot is not for a listener to wait with.
        Semaphore::Permit slot = co_await slots_.acquire();
        auto take_in = [&] { accepted(*std::move(stream), std::move(slot), reactor, owner); };
        failure = catching(take_in);
      } else {
        failure = std::move(stream).error();
      }
    }
    if (!failure) continue;
    if (failure->code() != Errc::overloaded) co_await Error(*std::move(failure));
    tell(*failure);
    co_await sleep(accept_pause);
  }
}

// Closing a listener resets the connections that nobody has accepted, and their clients may have asked
// already.
Task<> Server::accept_backlog(Listener& listener, const void* owner) {
  for (int round = 0; round < backlog_rounds_max; ++round) {
    const std::uint64_t before = statistics_.connections;
    co_await race(accept_all(listener, owner), let_others_run());
    if (statistics_.connections == before) break;
  }
}

void Server::accepted(std::unique_ptr<Stream> stream, Semaphore::Permit slot, Reactor& reactor,
                      const void* owner) {
  ++statistics_.connections;
  const std::optional<HostKey> peer = stream->peer_host();
  std::size_t* const held = peer ? &per_peer_[network_of(*peer)] : nullptr;
  if (held != nullptr && *held >= options_.connections_per_peer_max) {
    ++statistics_.turned_away;
    stream->reset_on_close();
    return;
  }
  new detail::ServerConnection(*this, reactor, std::move(stream), owner, std::move(slot));
  if (held != nullptr) ++*held;
}

Task<> Server::serve_connection(std::unique_ptr<Stream> stream) {
  PromiseBase& self = co_await this_task;
  detail::ServerConnection::Guest guest(self);
  new detail::ServerConnection(*this, self.reactor(), std::move(stream), guest);
  while (guest.served()) co_await suspend_until_ready;
}

void Server::shutdown(Duration grace) {
  grace_ = std::min(grace_, grace);
  stopping_.set();
  changed_.pulse();
}

Task<> Server::shutdown_begins() { co_await stopping_.wait(); }

// Waits for the connections in work, as long as the grace lasts; a second shutdown() may shorten it.
Task<> Server::drain() {
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.now();
  while (!connections_.empty()) {
    const Duration left = began + grace_ - reactor.now();
    if (left <= Duration()) break;
    Result<> changed = co_await with_timeout(left, changed_.wait()).result();
    if (!changed) break;
  }
  report_.cancelled += statistics_.open;
}

void Server::close_idle() {
  for (Member& member : connections_) {
    member.closes = member.connection->rests_for_good();
    if (member.closes) ++report_.idle_closed;
  }
  close_marked();
}

// Those of one serve() call; null: all.
void Server::close_all(const void* owner) {
  for (Member& member : connections_) {
    member.closes = owner == nullptr || member.connection->owner() == owner;
  }
  close_marked();
}

// Needs no memory. What goes with one connection may close another: that one leaves the list by itself.
void Server::close_marked() {
  List<Member> closing;
  List<Member> staying;
  while (Member* member = connections_.pop_front()) (member->closes ? closing : staying).push_back(*member);
  connections_.splice_back(staying);
  ++at_work_;
  while (Member* member = closing.pop_front()) {
    connections_.push_back(*member);
    member->connection->close();
  }
  --at_work_;
}

// A connection from there that counted is gone.
void Server::leave_peer(const std::optional<HostKey>& peer) {
  if (!peer) return;
  const auto held = per_peer_.find(network_of(*peer));
  if (--held->second == 0) per_peer_.erase(held);
}

void Server::tell(const Error& error) {
  auto call = [&] {
    if (on_failure) on_failure(error);
  };
  (void)catching(call);
}

void Server::tell(const Refusal& refusal) {
  auto call = [&] {
    if (on_refused) on_refused(refusal);
  };
  (void)catching(call);
}

void Server::make_date_line(Reactor& reactor) {
  const SystemTime now = reactor.backend().system_now();
  date_line_ = "Date: " + now.http_date() + "\r\n";
  date_changes_ = reactor.now() + Duration(1ms) * (1000 - now.unix_milliseconds() % 1000);
}

std::unique_ptr<detail::Conversation> Server::lend_conversation() {
  if (spare_.empty()) return std::make_unique<detail::Conversation>(limits_of(options_));
  std::unique_ptr<detail::Conversation> lent = std::move(spare_.back());
  spare_.pop_back();
  return lent;
}

void Server::take_back(std::unique_ptr<detail::Conversation> conversation) {
  if (spare_.size() < spare_max) spare_.push_back(std::move(conversation));
}

}  // namespace escapement::http
