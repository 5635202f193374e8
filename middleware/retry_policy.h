// Whether to try again, and when: the decisions of Retry as pure functions, without clock or I/O.
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
//     429, 521, 522                                      backoff        backoff: it was not processed
//     name does not exist, bad URL, broken protocol,
//     a limit, cancelled, every other status             no             no
//
// A Retry-After on 408, 413, 425, 429 or 503 takes the place of the backoff, and so does an exhausted
// `x-ratelimit-remaining: 0` with `x-ratelimit-reset` on 429 (and on 403, which is how GitHub says it).
// Sources: RFC 9110 sections 9.2.2, 10.2.3, 15.5.9; the practice of curl, got, ky, undici and Envoy.

#pragma once

#include <optional>

#include <escapement/core/random.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// What one attempt came to.
class Attempt {
 public:
  explicit Attempt(const Response& response) : response_(&response) {}
  explicit Attempt(const Error& error) : error_(&error) {}
  const Response* response() const { return response_; }
  const Error* error() const { return error_; }

 private:
  const Response* response_ = nullptr;
  const Error* error_ = nullptr;
};

// Whether to try again, and the least time to wait when the server named one (zero means at once). Without
// it, the backoff's delay is waited.
struct Verdict {
  bool again = false;
  std::optional<Duration> server_delay;
};

// Whether sending the request twice has the effect of sending it once.
bool idempotent(const Method& method, const Headers& headers);

// The table above. `now` is the wall clock, for dates in a response that has no Date of its own.
Verdict judge(bool idempotent, const Attempt& attempt, SystemTime now);

// What Retry-After asks for: seconds, or a date in any of the three forms, measured against the response's
// own Date so that a wrong clock on either side does not matter. A date in the past is zero; malformed is
// nothing.
std::optional<Duration> retry_after(const Headers& headers, SystemTime now);

// min(`most`, `base` * 2^retry) for the first (0), second (1), ... retry; no overflow.
Duration exponential_backoff(Duration base, Duration most, int retry);

// Uniform in [0, delay]: "full jitter".
Duration full_jitter(Duration delay, Random& random);

// Uniform in [delay, delay + min(5 s, delay / 10)]: a server's own figure is never undercut.
Duration positive_jitter(Duration delay, Random& random);

}  // namespace escapement::http
