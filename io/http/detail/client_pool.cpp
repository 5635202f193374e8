#include <escapement/io/http/detail/client_pool.h>

#include <algorithm>
#include <utility>

namespace escapement::http::detail {

void IdleConnection::run() { pool_.close(*this); }

Pool::Origins::iterator Pool::at(const std::string& origin) {
  const std::size_t most = std::max<std::size_t>(1, options.connections_per_host_max);
  return origins_.try_emplace(origin, most).first;
}

std::unique_ptr<ClientConnection> Pool::take_idle(Origin& origin) {
  while (!origin.idle.empty()) {
    const auto last = origin.idle.back();
    origin.idle.pop_back();
    std::unique_ptr<ClientConnection> connection = std::move(last->connection);
    idle_.erase(last);
    if (connection->reuse()) return connection;
  }
  return nullptr;
}

void Pool::put_back(Reactor& reactor, Use& use, std::unique_ptr<ClientConnection> connection,
                    Duration idle_for) {
  if (options.idle_connections_max == 0) return;
  Origin& origin = use.origin();
  origin.idle.reserve(origin.idle.size() + 1);
  // It counts as idle when its time runs: a timer that gets no memory closes it.
  std::list<IdleConnection> fresh;
  IdleConnection& idle = fresh.emplace_back(*this, use.name(), std::move(connection));
  if (idle_for != Duration::max()) idle.timer.arm(reactor.timers(), reactor.now() + idle_for, idle);
  idle_.splice(idle_.end(), fresh);
  origin.idle.push_back(std::prev(idle_.end()));
  if (idle_.size() > options.idle_connections_max) close_oldest_idle();
}

bool Pool::close_oldest_idle() {
  if (idle_.empty()) return false;
  close(idle_.front());
  return true;
}

void Pool::close(IdleConnection& which) {
  const Origins::iterator at = origins_.find(which.origin());
  std::vector<std::list<IdleConnection>::iterator>& idle = at->second.idle;
  const auto entry = std::find_if(idle.begin(), idle.end(), [&](auto i) { return &*i == &which; });
  idle_.erase(*entry);
  idle.erase(entry);
  forget_unused(at);
}

Lease::~Lease() {
  exchange.reset();
  const Duration idle_for = connection ? connection->keep_for() : Duration();
  if (idle_for <= Duration()) return;
  auto giving_back = [&] { pool_->put_back(reactor_, use_, std::move(connection), idle_for); };
  (void)escapement::detail::catching(giving_back);  // without memory for that it is closed
}

}  // namespace escapement::http::detail
