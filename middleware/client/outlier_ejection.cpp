#include <escapement/middleware/client/outlier_ejection.h>

#include <algorithm>
#include <cmath>

#include <escapement/middleware/limits/circuit_breaker.h>

namespace escapement::http {

OutlierEjection::OutlierEjection(std::size_t upstreams, OutlierEjectionOptions options)
    : options_(std::move(options)), hosts_(upstreams) {
  ESC_CHECK(options_.interval > Duration());
  ESC_CHECK(options_.share_max >= 0 && options_.share_max <= 1);
  if (!options_.failed) options_.failed = speaks_against_service;
  const double most = options_.share_max * static_cast<double>(upstreams);
  ejected_max_ = std::max<std::size_t>(1, static_cast<std::size_t>(most));
  ejected_max_ = std::min(ejected_max_, upstreams == 0 ? 0 : upstreams - 1);
}

void OutlierEjection::note(std::size_t upstream, const Attempt& attempt, Instant now) {
  advance(now);
  if (ejected(upstream, now)) return;
  if (attempt.error() != nullptr && attempt.error()->code() == Errc::cancelled) return;
  Host& host = hosts_[upstream];
  if (!options_.failed(attempt)) {
    ++host.successes;
    host.failures_in_a_row = 0;
    return;
  }
  ++host.failures;
  ++host.failures_in_a_row;
  if (options_.consecutive_failures == 0 || host.failures_in_a_row < options_.consecutive_failures) return;
  eject(upstream, now);
}

void OutlierEjection::advance(Instant now) {
  if (interval_ends_ == Instant::never()) interval_ends_ = now + options_.interval;
  if (now < interval_ends_) return;
  const std::int64_t over = 1 + (now - interval_ends_) / options_.interval;
  const Instant began = interval_ends_ + (Duration() - options_.interval);
  interval_ends_ = interval_ends_ + options_.interval * over;
  const Instant ended = began + options_.interval * over;
  for (Host& host : hosts_) {
    const std::int64_t good = (ended - std::max(began, host.ejected_until)) / options_.interval;
    host.ejections = static_cast<int>(std::clamp<std::int64_t>(host.ejections - good, 0, host.ejections));
  }
  compare(now);
  for (Host& host : hosts_) {
    host.successes = 0;
    host.failures = 0;
  }
}

void OutlierEjection::compare(Instant now) {
  if (options_.deviations <= 0) return;
  std::vector<std::size_t> compared;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const std::uint64_t requests = hosts_[i].successes + hosts_[i].failures;
    if (requests > 0 && requests >= options_.requests_min) compared.push_back(i);
  }
  if (compared.empty() || compared.size() < options_.hosts_min) return;
  const double count = static_cast<double>(compared.size());
  double mean = 0;
  for (const std::size_t i : compared) mean += hosts_[i].success_rate() / count;
  double variance = 0;
  for (const std::size_t i : compared) {
    const double off = hosts_[i].success_rate() - mean;
    variance += off * off / count;
  }
  const double least = mean - options_.deviations * std::sqrt(variance);
  for (const std::size_t i : compared) {
    if (hosts_[i].success_rate() < least && !ejected(i, now)) eject(i, now);
  }
}

void OutlierEjection::eject(std::size_t upstream, Instant now) {
  const auto out = std::count_if(hosts_.begin(), hosts_.end(),
                                 [now](const Host& host) { return now < host.ejected_until; });
  if (static_cast<std::size_t>(out) >= ejected_max_) return;
  Host& host = hosts_[upstream];
  ++host.ejections;
  host.failures_in_a_row = 0;
  host.ejected_until = now + std::min(options_.ejection * host.ejections, options_.ejection_max);
  if (options_.observer) options_.observer(upstream, host.ejected_until);
}

}  // namespace escapement::http
