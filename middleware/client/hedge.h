// Hedge: sends a request again while the first attempt is slow, and takes the first good response.

#pragma once

#include <optional>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>
#include <escapement/middleware/client/retry_budget.h>

namespace escapement::http {

// Starts the first attempt, and another one each time that `delay` passes without a good outcome, up to
// `attempts`. An outcome that is worth another attempt (`decide` in retry_policy.h: 503, a broken connection)
// starts the next one at once, unless the server named a wait: then no more are started. The first outcome
// that is not worth another attempt is the result; the other attempts are then cancelled, which closes their
// connections over HTTP/1.1. If there is none, the last outcome is the result.
//
// Only for requests that are idempotent and whose body can be sent again; all others get one attempt. Cuts
// the longest tenth or hundredth of the times: choose a `delay` that as many of the calls exceed as extra
// load is wanted.
//
//     const Service api = layered(Timeout{2s}, Hedge{50ms}, client);
//
// Sources: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 2013; gRPC's hedging policy (A6).
struct Hedge {
  static constexpr LayerRole role = LayerRole::hedge;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  Duration delay = 100ms;          // between the starts of two attempts; not below zero
  int attempts = 2;                // the first one included
  bool repeat_any_method = false;  // as in Retry: the caller knows that sending twice does no harm
  // Pays for the attempts after the first. None: the one that travels with the call (call_budget.h), and
  // without that all are allowed.
  std::optional<RetryBudget> budget = {};

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
