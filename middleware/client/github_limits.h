// GitHubLimits: makes limits of GitHub that stand only in a body visible to Retry.

#pragma once

#include <escapement/core/bytes.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

// Looks into the beginning of responses that may be one of GitHub's limits, and says what it finds in header
// fields, by which Retry decides (retry_policy.h). Put it inside of Retry. The body stays whole.
//
//     response                                                     becomes
//     403 or 429 without Retry-After, not of the primary limit,    the same with Retry-After: `wait`, and
//     whose body says "secondary rate" or has a documentation_url  twice as long with each attempt
//     that ends in "secondary-rate-limits"
//     200 to a POST of .../graphql whose errors have the type      429 with the same fields, so that
//     RATE_LIMITED                                                 X-RateLimit-Reset counts
//     the same whose errors have the message "Something went       500, which to a POST is tried again only
//     wrong while executing your query"                            if that may be sent twice (`idempotent`)
//
// A 403 without any of that is a refusal for good, and stays one.
// Sources: GitHub's "Rate limits for the REST API", "Rate limits and query limits for the GraphQL API".
struct GitHubLimits {
  Duration wait = 60s;               // after the first secondary limit of a call
  std::size_t looked_at = 64 * KiB;  // bytes of a body that are looked at

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
