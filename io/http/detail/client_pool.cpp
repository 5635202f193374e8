#include <escapement/io/http/detail/client_pool.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/task_locals.h>
#include <escapement/io/http/detail/client_connect.h>
#include <escapement/io/http/h1/connection.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

using escapement::detail::catching;
using escapement::detail::PromiseBase;
using escapement::detail::this_task;

// --- one connection, one attempt to connect, one request, one that waits ---------------------------------

void PooledConnection::run() { pool.news_of(*this); }

Connecting::Connecting(Pool& pool, Origin& origin, const Url& url, Waiter& w)
    : waiter(&w), pool_(pool), origin_(origin), task_(open_connection(pool, url, *this)) {}

void Connecting::start(Reactor& reactor) {
  escapement::detail::TaskLocals* const locals = escapement::detail::TaskLocals::of(reactor);
  if (locals != nullptr && waiter->waits) {  // the running code is another one's
    const Runnable* at = &waiter->task;
    while (at != nullptr && values_ == nullptr) at = at->awaited_by(values_);
  } else if (locals != nullptr) {
    values_ = locals->seen_now();
  }
  if (values_ == nullptr) return begin(reactor);
  to_start_in_ = &reactor;
  reactor.resume_next(*this);
}

void Connecting::begin(Reactor& reactor) {
  task_.start(reactor, *this);
  if (task_.finished()) pool_.connected(*this, task_.take());
}

void Connecting::run() {
  Reactor* const reactor = std::exchange(to_start_in_, nullptr);
  if (reactor != nullptr) return begin(*reactor);
  pool_.connected(*this, task_.take());
}

const Runnable* Connecting::awaited_by(std::shared_ptr<const escapement::detail::LocalValues>& found) const {
  found = values_;
  return nullptr;
}

void Connecting::waits_for(TimeLimit what) {
  if (waiter != nullptr) waiter->report.waits_for(what);
}

Lease::Lease(PooledConnection& connection)
    : exchange(connection.connection->begin()), connection_(&connection), reused_(connection.reused) {
  ++connection.exchanges;
}

Lease::~Lease() {
  if (connection_ == nullptr) return;
  exchange.reset();
  connection_->pool.ended(*connection_);
}

Waiter::Waiter(Pool& p, Origin& o, PromiseBase& t, CallReport& r, const Url& u, bool f)
    : pool(p), origin(o), task(t), report(r), url(u), fresh(f), number(p.waiters_++), line_place(*this) {
  if (fresh) {
    origin.waiting.push_front(*this);
  } else {
    origin.waiting.push_back(*this);
  }
}

// Passes on what it was granted. A connection on its way for it goes on.
Waiter::~Waiter() {
  if (connecting != nullptr) connecting->waiter = nullptr;
  if (line_place.linked()) --pool.in_line_;
  granted.reset();
  if (!linked()) return;  // it was granted one, which keeps the origin, or has let go of it
  unlink();
  pool.forget_unused(origin);
}

// --- origins ---------------------------------------------------------------------------------------------

// Keeps an origin while something is done to it that may take the last of its connections.
class Pool::Hold {
 public:
  Hold(Pool& pool, Origin& origin) : pool_(pool), origin_(origin) { ++origin_.holds; }
  Hold(const Hold&) = delete;
  ~Hold() {
    --origin_.holds;
    pool_.forget_unused(origin_);
  }

 private:
  Pool& pool_;
  Origin& origin_;
};

Pool::~Pool() {
  while (!idle_.empty()) drop(idle_.front().connection);
}

Origin* Pool::find(const Url& url) {
  if (last_ != nullptr && last_->key->is(url)) return last_;
  const Origins::iterator at = origins_.find(url);
  if (at == origins_.end()) return nullptr;
  last_ = &at->second;
  return last_;
}

Origin& Pool::at(const Url& url) {
  if (Origin* known = find(url)) return *known;
  const Origins::iterator at = origins_.try_emplace(OriginKey(url), url).first;
  at->second.key = &at->first;
  return at->second;
}

void Pool::forget_unused(Origin& origin) {
  if (origin.holds != 0 || origin.open != 0 || !origin.connecting.empty() || !origin.waiting.empty()) return;
  if (last_ == &origin) last_ = nullptr;
  origins_.erase(origins_.find(*origin.key));
}

// --- waiting and connecting ------------------------------------------------------------------------------

std::optional<Lease> Pool::take(const Url& url, Reactor& reactor) {
  reactor_ = &reactor;
  Origin* const origin = find(url);
  std::optional<Lease> lease;
  while (origin != nullptr && !origin->with_room.empty()) {
    PooledConnection& connection = *origin->with_room.back();
    if (connection.exchanges != 0 || still_good(connection, reactor)) {
      leave_idle(connection);
      auto beginning = [&] { lease.emplace(connection); };
      if (!catching(beginning)) {
        if (connection.connection->room() == 0) origin->with_room.pop_back();
        return lease;
      }
    }
    const bool last = origin->with_room.size() == 1;
    close(connection);
    if (last) break;  // the origin may be gone
  }
  return lease;
}

Task<Lease> Pool::wait_for(const Url& url, CallReport& report, std::optional<Lease>& dead) {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  reactor_ = &reactor;
  Waiter waiter(*this, at(url), self, report, url, dead.has_value());
  if (dead) {
    stand_in_line(waiter, true);
    dead.reset();  // which leaves its place to the first in line
  } else if (may_connect(waiter.origin)) {
    connect_for(waiter);
  } else if (in_line_ >= options().queue_max) {
    co_return Error(Errc::overloaded, "waiting for a connection to " + waiter.origin.name + ": " +
                                          std::to_string(in_line_) + " requests wait already")
        .nothing_sent();
  } else {
    stand_in_line(waiter, false);
  }
  TimerEntry limit;
  Instant since = Instant::never();  // when it began to stand in line; never(): it does not
  while (!waiter.settled()) {
    const bool in_line = waiter.line_place.linked();
    if (!in_line) {
      limit.disarm();
      since = Instant::never();
    } else if (since == Instant::never()) {
      since = reactor.precise_now();
      const Instant ends = since + options().queue_timeout;
      if (ends != Instant::never()) limit.arm(reactor.timers(), ends, self);
    } else if (!limit.armed() && since + options().queue_timeout != Instant::never()) {
      const Duration elapsed = reactor.precise_now() - since;
      co_return escapement::detail::timeout_error({TimeLimit::queue, "none became free"},
                                                  options().queue_timeout, elapsed)
          .context("waiting for a connection to " + waiter.origin.name)
          .nothing_sent();
    }
    waiter.waits = true;
    co_await escapement::detail::suspend_until_ready;
    waiter.waits = false;
  }
  if (waiter.failure) co_return *std::move(waiter.failure);
  Lease lease = *std::move(waiter.granted);
  waiter.granted.reset();
  co_return std::move(lease);
}

bool Pool::full() const { return open_ >= std::max<std::size_t>(1, options().connections_max); }

bool Pool::full(const Origin& origin) const {
  const std::size_t most = std::max<std::size_t>(1, options().connections_per_host_max);
  return origin.open + origin.connecting.size() >= most;
}

// There may be a new connection to the origin now, perhaps in the place of an idle one to another.
bool Pool::may_connect(const Origin& origin) const { return !full(origin) && (!full() || idle_count_ != 0); }

void Pool::stand_in_line(Waiter& waiter, bool first) {
  if (first) {
    line_.push_front(waiter.line_place);
  } else {
    line_.push_back(waiter.line_place);
  }
  ++in_line_;
  waiter.report.enters_queue(*reactor_);
}

void Pool::leave_line(Waiter& waiter) {
  if (!waiter.line_place.linked()) return;
  waiter.line_place.unlink();
  --in_line_;
  waiter.report.leaves_queue(*reactor_);
}

void Pool::connect_for(Waiter& waiter) {
  leave_line(waiter);
  if (full()) {
    const Hold hold(*this, idle_.front().connection.origin);
    drop(idle_.front().connection);
  }
  auto connecting = std::make_unique<Connecting>(*this, waiter.origin, waiter.url, waiter);
  Connecting& started = *connecting;
  waiter.origin.connecting.push_back(std::move(connecting));
  ++open_;
  waiter.connecting = &started;
  started.start(waiter.task.reactor());
}

// Begins to connect for those in line for whom there is a place now, first come, first served.
void Pool::serve_line() {
  if (serving_) return;  // the one that does goes on
  serving_ = true;
  const Defer served([this] { serving_ = false; });
  for (;;) {
    Waiter* next = nullptr;
    for (Waiter::LinePlace& place : line_) {
      if (!may_connect(place.waiter.origin)) continue;
      next = &place.waiter;
      break;
    }
    if (next == nullptr) return;
    auto connecting = [&] { connect_for(*next); };
    if (std::optional<Error> thrown = catching(connecting)) next->fail(*std::move(thrown));
    next->wake();
  }
}

void Pool::connected(Connecting& which, Result<std::unique_ptr<ClientConnection>> made_now) {
  Waiter* const waiter = which.waiter;
  Origin& origin = which.origin();
  const Hold hold(*this, origin);
  if (waiter != nullptr) waiter->connecting = nullptr;
  std::erase_if(origin.connecting, [&which](const auto& each) { return each.get() == &which; });
  --open_;
  std::optional<Error> failure;
  PooledConnection* added = nullptr;
  if (made_now) {
    auto adding = [&] { added = add(origin, *std::move(made_now)); };
    failure = catching(adding);
  } else {
    failure = std::move(made_now).error();
  }
  if (failure && waiter != nullptr) waiter->fail(*std::move(failure));
  if (added != nullptr) {
    offer(*added, true);
    // Another one came first.
    if (waiter != nullptr && !waiter->settled() && waiter->connecting == nullptr) {
      stand_in_line(*waiter, true);
      waiter->wake();  // its time in the line is limited
    }
  }
  serve_line();
}

PooledConnection* Pool::add(Origin& origin, std::unique_ptr<ClientConnection> connection) {
  origin.with_room.reserve(origin.open + 1);  // giving back must not need memory
  const Instant retires = reactor_->now() + options().connection_age_max;
  auto added = std::make_unique<PooledConnection>(*this, origin, std::move(connection), retires);
  ++origin.open;
  ++open_;
  ++made;
  return added.release();
}

void Pool::grant(Waiter& waiter, PooledConnection& connection) {
  if (waiter.connecting != nullptr) std::exchange(waiter.connecting, nullptr)->waiter = nullptr;
  leave_line(waiter);
  auto granting = [&] { waiter.granted.emplace(connection); };
  if (std::optional<Error> thrown = catching(granting)) return waiter.fail(*std::move(thrown));
  waiter.unlink();
  waiter.wake();
}

// With no place left in all, a request to another origin that has waited for longer gets this one's.
bool Pool::others_come_first(const Waiter& waiter) const {
  if (line_.empty() || !full()) return false;
  for (Waiter::LinePlace& place : line_) {
    const Waiter& other = place.waiter;
    if (&other.origin == &waiter.origin) continue;
    if (other.number < waiter.number && !full(other.origin)) return true;
  }
  return false;
}

// --- connections that are given back ---------------------------------------------------------------------

void Pool::ended(PooledConnection& connection) {
  --connection.exchanges;
  connection.reused = true;
  if (connection.exchanges == 0) {
    const Duration keep_for = connection.connection->keep_for();
    const Instant now = reactor_->now();
    if (keep_for <= Duration() || now >= connection.retires_at) return close(connection);
    connection.idle_until = std::min(now + keep_for, connection.retires_at);
  }
  offer(connection, false);
}

// Gives a connection that has room to those that wait, or keeps it.
void Pool::offer(PooledConnection& connection, bool is_new) {
  Origin& origin = connection.origin;
  while (connection.connection->room() != 0 && !origin.waiting.empty()) {
    Waiter* next = nullptr;
    for (Waiter& each : origin.waiting) {
      if (each.settled() || (each.fresh && !is_new)) continue;
      next = &each;
      break;
    }
    if (next == nullptr) break;
    if (!is_new && connection.exchanges == 0 &&
        (others_come_first(*next) || !connection.connection->usable())) {
      return close(connection);
    }
    grant(*next, connection);
  }
  if (connection.connection->room() == 0) return;
  const auto listed = std::find(origin.with_room.begin(), origin.with_room.end(), &connection);
  if (listed == origin.with_room.end()) origin.with_room.push_back(&connection);
  if (connection.exchanges == 0) keep(connection);
}

void Pool::keep(PooledConnection& connection) {
  if (connection.idle_until == Instant()) {  // new, and wanted by nobody any more
    connection.idle_until =
        std::min(reactor_->now() + connection.connection->keep_for(), connection.retires_at);
  }
  auto watching = [&] {
    connection.watched = connection.connection->watch(*reactor_, &connection);
    if (connection.idle_until == Instant::never()) return;
    connection.timer.arm(reactor_->timers(), connection.idle_until, connection);
  };
  const bool failed = catching(watching).has_value();  // without memory for that it is closed
  if (failed || (!connection.watched && !connection.connection->usable())) return close(connection);
  connection.reused = true;  // the server may close it before it was used at all
  idle_.push_back(connection.idle_place);
  ++idle_count_;
  Origin& origin = connection.origin;
  if (idle_count_ > options().idle_connections_max) {
    close(idle_.front().connection);
  } else if (origin.with_room.size() > options().idle_connections_per_host_max) {
    close(origin.with_room.front()->exchanges == 0 ? *origin.with_room.front() : connection);
  } else if (!line_.empty()) {
    serve_line();
  }
}

void Pool::news_of(PooledConnection& connection) {
  if (connection.exchanges != 0) return;
  if (reactor_->now() >= connection.idle_until || !connection.connection->usable()) return close(connection);
  connection.watched = connection.connection->watch(*reactor_, &connection);
}

// The backend has looked at the connection when this turn began, if it is watched. That was a moment ago,
// unless the turn is long, or is none: the program has not run the reactor meanwhile.
bool Pool::still_good(PooledConnection& connection, Reactor& reactor) {
  if (reactor.now() >= connection.idle_until) return false;
  const bool seen = connection.watched && !connection.linked() && !turn_is_long(reactor);
  return seen || connection.connection->usable();
}

void Pool::leave_idle(PooledConnection& connection) {
  if (!connection.idle_place.linked()) return;
  if (connection.watched) connection.connection->watch(*reactor_, nullptr);
  connection.watched = false;
  connection.unlink();  // what has happened to it is known
  connection.timer.disarm();
  connection.idle_place.unlink();
  --idle_count_;
}

bool Pool::close_oldest_idle() {
  if (idle_.empty()) return false;
  close(idle_.front().connection);
  return true;
}

void Pool::drop(PooledConnection& connection) {
  leave_idle(connection);
  Origin& origin = connection.origin;
  std::erase(origin.with_room, &connection);
  --origin.open;
  --open_;
  delete &connection;
}

void Pool::close(PooledConnection& connection) {
  const Hold hold(*this, connection.origin);
  drop(connection);
  serve_line();
}

}  // namespace escapement::http::detail
