#include <escapement/middleware/client/retry.h>

#include <algorithm>

#include <escapement/middleware/client/detail/retry_loop.h>

namespace escapement::http {

// Returns no delay when the server asks for a longer wait than this layer allows.
std::optional<Duration> Retry::delay_after(const RetryDecision& decision, BackoffState& state,
                                           Random& drawn_from) const {
  if (decision.server_delay) {
    if (*decision.server_delay > server_delay_max) return std::nullopt;
    return positive_jitter(*decision.server_delay, drawn_from);
  }
  if (decision.backoff_min > Duration()) {
    if (decision.backoff_min > server_delay_max) return std::nullopt;
    return positive_jitter(exponential_backoff(decision.backoff_min, server_delay_max, state.retry),
                           drawn_from);
  }
  if (delays != nullptr) return std::max(Duration(), (*delays)(state, drawn_from));
  const Duration delay = exponential_backoff(backoff, backoff_max, state.retry);
  return jitter == Jitter::full ? full_jitter(delay, drawn_from) : delay;
}

Task<Response> Retry::operator()(Request request, const Service& next) const {
  return detail::retry_loop(*this, std::move(request), next, detail::NoRetryHooks());
}

}  // namespace escapement::http
