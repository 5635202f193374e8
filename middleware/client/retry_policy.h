// Decides whether to try again, and when: the decisions of Retry as pure functions, without clock or I/O.
//
// The table (`safe` = GET HEAD OPTIONS TRACE QUERY; `idempotent` = safe, PUT, DELETE, or a request with an
// Idempotency-Key, or all requests where the caller says so):
//
//     outcome of the attempt                             idempotent     others (POST, PATCH)
//     nothing was sent (connect failed, no local port)   backoff        backoff
//     the connection broke, or a time limit passed       backoff        no: the peer may have acted
//     408, 500, 502, 504, 524                            backoff        no
//     503                                                backoff        only with Retry-After
//     413                                                Retry-After    no
//     425                                                at once        at once
//     521, 522                                           backoff        backoff: it was not processed
//     429                                                a minute       a minute: it was not processed
//     403 with Retry-After or an exhausted rate limit    as said        as said: GitHub's two kinds of limit
//     name does not exist, bad URL, broken protocol,
//     a limit, cancelled, every other status             no             no
//
// Where the server names a wait, it takes the place of the backoff, whatever the status. Retry-After comes
// first. Without it an exhausted rate limit counts: `remaining` 0 (or absent, on 429) and `reset`, each
// behind X-RateLimit-, X-Rate-Limit- or RateLimit-, or both in RateLimit. A reset is a date or a number: of
// seconds from now, or since 1970 where that would be more than three years, or of milliseconds since 1970. A
// wait that is named but cannot be read is longer than any other: nothing of the server's is undercut.
//
// A 429 that names no wait is tried again after a minute, and then after twice as long each time, up to
// Retry::server_delay_max: so GitHub's documentation asks of clients that it has told nothing else, which is
// how its secondary limit looks. The same limit as a 403 that names none is not tried again: only its body
// tells it from a refusal for good, and a layer reads no bodies.
//
// Sources: RFC 9110 sections 9.2.2, 10.2.3, 15.5.9; RFC 6585 section 4; draft-ietf-httpapi-ratelimit-headers;
// GitHub's "Rate limits for the REST API" and "Best practices for using the REST API"; the practice of curl,
// got, ky, undici and Envoy.

#pragma once

#include <optional>

#include <escapement/core/random.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// The outcome of one attempt.
class Attempt {
 public:
  // Refers to a response, which must outlive this.
  explicit Attempt(const Response& response) : response_(&response) {}
  explicit Attempt(const Error& error) : error_(&error) {}
  // Returns the response; null if the attempt failed.
  const Response* response() const { return response_; }
  // Returns the failure; null if there was a response.
  const Error* error() const { return error_; }

 private:
  const Response* response_ = nullptr;
  const Error* error_ = nullptr;
};

// The decision whether to try again, and the least time to wait when the server named one (zero means at
// once). Without it, Retry waits for the backoff's delay, which begins with `backoff_min` unless that is
// zero.
struct RetryDecision {
  bool again = false;                    // whether another attempt may help
  std::optional<Duration> server_delay;  // named by the server
  Duration backoff_min = {};             // zero: Retry::backoff
};

// Not here: `idempotent`, the first argument of `decide`; see message.h.

// The table above. `now` is the wall clock, for dates in a response that has no Date of its own.
RetryDecision decide(bool idempotent, const Attempt& attempt, SystemTime now);

// Reads Retry-After: seconds, also with decimals, or a date (SystemTime::parse_http_date, RFC 3339), measured
// against the response's own Date so that a wrong clock on either side does not matter. A date in the past is
// zero; the longest counts where there are several. Nothing where it is absent or malformed.
std::optional<Duration> retry_after(const Headers& headers, SystemTime now);

// min(`most`, `base` * 2^retry) for the first (0), second (1), ... retry; no overflow.
Duration exponential_backoff(Duration base, Duration most, int retry);

// Uniform in [0, delay]: "full jitter".
Duration full_jitter(Duration delay, Random& random);

// Uniform in [delay, delay + min(5 s, delay / 10)]: a server's own figure is never undercut.
Duration positive_jitter(Duration delay, Random& random);

}  // namespace escapement::http
