// TieredRetry: of several services that call each other, only the first one retries.

#pragma once

#include <escapement/core/task_local.h>
#include <escapement/middleware/client/retry.h>

namespace escapement::http {

// The field that tells a service that its caller retries: the number of the attempt, from 1.
inline constexpr std::string_view retry_attempt_field = "X-Retry-Attempt";

namespace detail {

// The value of the field in the request that the running code responds to.
inline constexpr TaskLocal<std::string> attempt_of_caller;

}  // namespace detail

// For servers: makes a TieredRetry in all that the handler calls know that the caller retries. The field then
// travels on by itself, in the requests that the handler sends through a TieredRetry:
//
//     const Service handler = layered(TakeRetryAttempt{}, router);
struct TakeRetryAttempt {
  Task<Response> operator()(Request request, const Service& next) const {
    const std::string* const found = request.headers.get(retry_attempt_field);
    if (found == nullptr) co_return co_await next(std::move(request));
    std::string attempt = *found;
    Task<Response> handling = next(std::move(request));
    co_return co_await with_local(detail::attempt_of_caller, std::move(attempt), std::move(handling));
  }
};

// The same by hand, for handlers without that layer: copies the field from a request that a service has
// received to one that it sends for it.
inline void carry_retry_attempt(const Request& received, Request& sent) {
  if (const std::string* attempt = received.headers.get(retry_attempt_field)) {
    sent.headers.set(retry_attempt_field, *attempt);
  }
}

// Retries as `retry` says, and says so to the services below: each attempt carries X-Retry-Attempt. A request
// that carries one already, because a service above retries, gets a single attempt. So three services that
// each retry three times send three requests for one failure, not 27; and with a RetryBudget in `retry`,
// which so travels with the request, the last one gets at most 1 + `ratio` times the load.
//
//     TieredRetry tiered;
//     tiered.retry.budget = RetryBudget(RetryBudgetOptions{.ratio = 0.2, .per_second_min = 0});
//     const Service next_tier = layered(tiered, client);         // for the handlers to call
//     const Service handler = layered(TakeRetryAttempt{}, router);
//
// The price: the first service repeats the work of all tiers, where the last one could have repeated its own.
// A caller that says falsely that it retries only loses retries of this service.
// Sources: gRPC A6 (grpc-previous-rpc-attempts); "Addressing Cascading Failures", Site Reliability
// Engineering.
struct TieredRetry {
  static constexpr LayerRole role = LayerRole::retry;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  Retry retry = {};  // how the first service retries

  Task<Response> operator()(Request request, const Service& next) const {
    if (request.headers.has(retry_attempt_field)) co_return co_await next(std::move(request));
    const std::string* const above = co_await local(detail::attempt_of_caller);
    if (above != nullptr) {
      request.headers.set(retry_attempt_field, *above);
      co_return co_await next(std::move(request));
    }
    const Service announced = [&next](Request attempt) {
      attempt.headers.set(retry_attempt_field, std::to_string(attempt.attempt));
      return next(std::move(attempt));
    };
    co_return co_await retry(std::move(request), announced);
  }
};

}  // namespace escapement::http
