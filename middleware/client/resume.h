// Resume: asks for the rest of a response body that broke off.

#pragma once

#include <optional>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>
#include <escapement/middleware/client/retry_budget.h>

namespace escapement::http {

// Gives the response to a GET a body that does not end when its connection breaks, or when a limit such as
// BodyIdle ends it: it asks for the rest with Range and If-Range (RFC 9110 sections 13.1.5 and 14.2) and goes
// on where it was. What the reader gets is the whole of one representation, or an error; never parts of two.
// A body that ends before the end that its head or that of its rest has named is broken too.
//
//     the response to the request for the rest     the body
//     206 with the same ETag, from the byte that   goes on
//     was asked for to the end of the body
//     200 with the same ETag, if the request has   goes on, after the bytes that the reader has
//     no Range of its own
//     any other 200 or 206                         fails with the first error, "and it has changed since"
//     a failure or status that is worth another    is asked for again (retry_policy.h), after the wait
//     attempt                                      that the server names
//     any other                                    fails with the first error
//
// Only for responses of 200 or 206 with a strong ETag, in one part, and not where Accept-Ranges is "none"; a
// request may have a Range of its own. All other responses pass. The wait before the first request is zero
// after bytes have come, then `backoff`, and twice as long each time, up to `backoff_max`; none that ends
// after Request::deadline is begun. Destroying the body ends everything.
//
// So a Timeout outside limits the resuming too: once that time has passed since the call, a body that breaks
// is not resumed. Put a Timeout inside, where it limits each request for a rest by itself; one outside is
// right only where the whole body has to come within its time.
//
// The requests go to the layers inside: a Retry there tries each one again, and a BearerAuth adds its token.
// Put Decompress outside (layer_order.h).
//
//     const Service api = layered(Resume{}, Timeout{30s}, Redirect{}, Retry{}, BodyIdle{10s}, client);
struct Resume {
  static constexpr LayerRole role = LayerRole::resume;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  int requests_max = 10;            // for the rest of one body, in all
  Duration backoff = 100ms;         // the first wait without progress; each one after it is twice as long
  Duration backoff_max = 20s;       // the longest wait, unless the server names one
  Duration server_delay_max = 60s;  // a server that names a longer one is not asked again
  // Pays for the requests. None: the one that travels with the call (call_budget.h), and without that only
  // `requests_max` limits them.
  std::optional<RetryBudget> budget = {};

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
