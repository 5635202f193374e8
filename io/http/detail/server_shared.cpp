#include <escapement/io/http/detail/server_shared.h>

#include <algorithm>

#include <escapement/io/http/h1/active_state.h>

namespace escapement::http::detail {

namespace {

using escapement::detail::catching;

std::string keep_alive_lines_of(const ServerOptions& options) {
  if (options.idle_timeout < Duration(1s) || options.idle_timeout == Duration::max()) return {};
  const std::int64_t seconds = options.idle_timeout / Duration(1s);
  return "Connection: keep-alive\r\nKeep-Alive: timeout=" + std::to_string(seconds) + "\r\n";
}

ParserLimits limits_of(const ServerOptions& options) {
  ParserLimits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.header_count_max = options.header_count_max;
  limits.body_bytes_max = options.body_bytes_max;
  return limits;
}

}  // namespace

ServerShared::ServerShared(Service s, const ServerOptions& o, const OnFailure& on_failure,
                           const OnRefused& on_refused)
    : service(std::move(s)),
      options(o),
      active_states(std::make_unique<ActiveStatePool>(limits_of(o))),
      slots(std::max<std::size_t>(1, o.connections_max)),
      keep_alive_lines(keep_alive_lines_of(o)),
      on_failure_(on_failure),
      on_refused_(on_refused) {}

ServerShared::~ServerShared() = default;

void ServerShared::report(const Error& error) {
  auto call = [&] {
    if (on_failure_) on_failure_(error);
  };
  (void)catching(call);
}

void ServerShared::report(const Refusal& refusal) {
  auto call = [&] {
    if (on_refused_) on_refused_(refusal);
  };
  (void)catching(call);
}

std::size_t* ServerShared::connections_of(const std::optional<HostKey>& peer) {
  return peer ? &per_peer_[network_of(*peer)] : nullptr;
}

void ServerShared::release_peer(const std::optional<HostKey>& peer) {
  if (!peer) return;
  const auto held = per_peer_.find(network_of(*peer));
  if (--held->second == 0) per_peer_.erase(held);
}

void ServerShared::make_date_line(Reactor& reactor) {
  const SystemTime now = reactor.backend().system_now();
  date_line_ = "Date: " + now.http_date() + "\r\n";
  date_changes_ = reactor.now() + Duration(1ms) * (1000 - now.unix_milliseconds() % 1000);
}

}  // namespace escapement::http::detail
