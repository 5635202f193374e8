#include <escapement/io/http/server.h>

#include <algorithm>

#include <escapement/core/combine.h>
#include <escapement/core/detail/defer.h>
#include <escapement/io/http/detail/server_connection.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

namespace {

using escapement::detail::catching;
using escapement::detail::PromiseBase;
using escapement::detail::suspend_until_ready;
using escapement::detail::this_task;

constexpr Duration accept_pause = 50ms;  // when descriptors or memory have run out
constexpr int backlog_rounds_max = 16;

Task<> let_others_run() { co_await yield(); }

}  // namespace

Server::Server(Service service, ServerOptions options)
    : shared_(std::make_unique<detail::ServerShared>(std::move(service), options, on_failure, on_refused)) {}

Server::~Server() {
  ESC_CHECK(shared_->busy == 0,
            "a Server was destroyed from inside itself: by a handler, or by whom it tells something?");
  close_all();
}

const ShutdownReport& Server::shutdown_report() const { return shared_->shutdown_report; }
const ServerStatistics& Server::statistics() const { return shared_->statistics; }

Task<> Server::listen(Network& network, std::string address) {
  std::unique_ptr<Listener> listener = co_await network.listen(address);
  co_await serve(std::move(listener));
}

// Closes the connections of a call of `serve` in a step of its own: an observer that is called for a
// cancelled request may cancel the task that serves.
class Server::Close final : public Runnable {
 public:
  Close(Server& server, detail::ServeId id, PromiseBase& task) : server_(server), id_(id), task_(task) {}
  void run() override {
    task_.reactor().ready(task_);
    server_.close_all(id_);
  }

 private:
  Server& server_;
  const detail::ServeId id_;
  PromiseBase& task_;
};

Task<> Server::serve(std::unique_ptr<Listener> listener) {
  const auto id = detail::ServeId{++serve_calls_};
  PromiseBase& self = co_await this_task;
  // Cancelled or done: the connections that were accepted here go with it.
  const Defer closing([this, id] { close_all(id); });
  const Served served{*this, id};
  const escapement::detail::TaskSource<escapement::detail::task_tree> source(self.reactor(), "server",
                                                                             &served, visit_tasks);
  std::unique_ptr<Stream> accepted;
  Task<> taking_backlog = accept_backlog(*listener, id, accepted);  // now: later there may be no memory
  co_await race(accept_all(*listener, id, accepted), shared_->stopping.wait());
  if (accepted) close_idle();  // one that waits for its turn may get theirs
  Result<> backlog = co_await std::move(taking_backlog).result();
  if (!backlog) shared_->report(backlog.error());
  // One that still waits need not wait any longer: no more will come.
  auto take_last = [&] { take(std::move(accepted), std::nullopt, self.reactor(), id); };
  const std::optional<Error> failure = accepted ? catching(take_last) : std::nullopt;
  if (failure) shared_->report(*failure);
  listener.reset();
  close_idle();
  TimerEntry timer;
  while (!shared_->connections.empty() && in_grace(timer, self)) co_await shared_->changed.wait();
  for (detail::ServerMember& member : shared_->connections) {
    if (member.serve_id == id) ++shared_->shutdown_report.cancelled;
  }
  Close close(*this, id, self);
  self.reactor().ready(close);
  co_await suspend_until_ready;
}

// Visits the tasks of the connections that one call of `serve` has accepted.
void Server::visit_tasks(const void* served, escapement::detail::TaskVisitor& visitor) {
  const auto& [server, id] = *static_cast<const Served*>(served);
  for (const detail::ServerMember& member : server.shared_->connections) {
    if (member.serve_id == id) member.connection.visit_tasks(visitor);
  }
}

// `stream` is the connection that was accepted and waits for its turn. It stays there when this is cancelled.
Task<> Server::accept_all(Listener& listener, detail::ServeId id, std::unique_ptr<Stream>& stream) {
  Reactor& reactor = co_await this_reactor;
  for (;;) {
    // Where memory has run out there may not even be enough for a task that fails.
    std::optional<Task<std::unique_ptr<Stream>>> accepting;
    auto begin = [&] { accepting.emplace(listener.accept()); };
    std::optional<Error> failure;
    if (!stream) failure = catching(begin);
    if (accepting) {
      Result<std::unique_ptr<Stream>> accepted = co_await std::move(*accepting).result();
      if (accepted) {
        stream = *std::move(accepted);
      } else {
        failure = std::move(accepted).error();
      }
    }
    if (stream) {
      // Only now: a listener must not hold a permit while it waits.
      Semaphore::Permit permit = co_await shared_->slots.acquire();
      auto take_in = [&] { take(std::move(stream), std::move(permit), reactor, id); };
      failure = catching(take_in);
    }
    if (!failure) continue;
    if (failure->code() != Errc::overloaded) co_await Error(*std::move(failure));
    shared_->report(*failure);
    co_await sleep(accept_pause);
  }
}

// Closing a listener resets the connections that were not accepted, and their clients may have sent a request
// already. `waiting` was accepted, but waits for its turn.
Task<> Server::accept_backlog(Listener& listener, detail::ServeId id, std::unique_ptr<Stream>& waiting) {
  for (int round = 0; round < backlog_rounds_max; ++round) {
    const std::uint64_t before = shared_->statistics.connections;
    co_await race(accept_all(listener, id, waiting), let_others_run());
    if (shared_->statistics.connections == before) break;
  }
}

// Without a permit it counts against no limit.
void Server::take(std::unique_ptr<Stream> stream, std::optional<Semaphore::Permit> permit, Reactor& reactor,
                  detail::ServeId id) {
  ++shared_->statistics.connections;
  std::size_t* const held = permit ? shared_->connections_of(stream->peer_host()) : nullptr;
  if (held != nullptr && *held >= shared_->options.connections_per_peer_max) {
    ++shared_->statistics.turned_away;
    stream->reset_on_close();
    return;
  }
  detail::make_server_connection(*shared_, reactor, std::move(stream),
                                 detail::Admission{.serve_id = id, .permit = std::move(permit)});
  if (held != nullptr) ++*held;
}

Task<> Server::serve_connection(std::unique_ptr<Stream> stream) {
  PromiseBase& self = co_await this_task;
  detail::ServeHandle handle(self);
  detail::make_server_connection(*shared_, self.reactor(), std::move(stream),
                                 detail::Admission{.handle = &handle});
  while (handle.serving() && !shared_->shutting_down()) co_await shared_->stopping.wait();
  if (!handle.serving()) co_return;
  if (handle.close_if_idle()) {
    ++shared_->shutdown_report.idle_closed;
    do {
      co_await suspend_until_ready;
    } while (handle.serving());
    co_return;
  }
  TimerEntry timer;
  while (handle.serving() && in_grace(timer, self)) co_await shared_->changed.wait();
  if (!handle.serving()) co_return;
  ++shared_->shutdown_report.cancelled;
  // In a step of its own, as for `serve`.
  detail::ServeHandle::Close close(handle);
  self.reactor().ready(close);
  while (handle.serving()) co_await suspend_until_ready;
}

void Server::shutdown(Duration grace) {
  grace_ = std::min(grace_, grace);
  shared_->stopping.set();
  shared_->changed.pulse();
}

Task<> Server::shutdown_begins() { co_await shared_->stopping.wait(); }

// Returns whether in-flight requests may go on. Then the caller waits: `task` is woken when that may have
// changed, if it waits for `changed`. A second shutdown() may shorten the grace period.
bool Server::in_grace(TimerEntry& timer, PromiseBase& task) {
  Reactor& reactor = task.reactor();
  if (shutdown_began_ == Instant::never()) shutdown_began_ = reactor.now();
  const Instant end = grace_ == Duration::max() ? Instant::never() : shutdown_began_ + grace_;
  if (end <= reactor.now()) return false;
  auto arming = [&] {
    if (end != Instant::never()) timer.arm(reactor.timers(), end, task);
  };
  if (catching(arming)) reactor.ready_later(task);  // no memory: once more
  return true;
}

void Server::close_idle() {
  for (detail::ServerMember& member : shared_->connections) {
    member.closes = member.connection.is_idle();
    if (member.closes) ++shared_->shutdown_report.idle_closed;
  }
  close_marked();
}

void Server::close_all() {
  for (detail::ServerMember& member : shared_->connections) member.closes = true;
  close_marked();
}

void Server::close_all(detail::ServeId id) {
  for (detail::ServerMember& member : shared_->connections) member.closes = member.serve_id == id;
  close_marked();
}

// Needs no memory. Closing one connection may close another, which then leaves the list by itself.
void Server::close_marked() {
  List<detail::ServerMember> closing;
  List<detail::ServerMember> staying;
  while (detail::ServerMember* member = shared_->connections.pop_front()) {
    (member->closes ? closing : staying).push_back(*member);
  }
  shared_->connections.splice_back(staying);
  ++shared_->busy;
  while (detail::ServerMember* member = closing.pop_front()) {
    shared_->connections.push_back(*member);
    member->connection.close();
  }
  --shared_->busy;
}

}  // namespace escapement::http
