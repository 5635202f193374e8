// Retry: another attempt after a failure that another attempt may mend.

#pragma once

#include <functional>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry_policy.h>

namespace escapement::http {

enum class Jitter {
  full,  // the backoff's delay is drawn from [0, delay]: spreads clients that failed together
  none,  // the delay itself
};

// What a Retry tells its observer before it waits.
struct RetryNotice {
  const Attempt& attempt;  // what the last attempt came to
  int attempts_made;       // 1 after the first
  Duration delay;          // how long it waits now
};

// Tries up to `attempts` times. Which outcomes are tried again, and who names the delay, is the table in
// retry_policy.h; the delay is full-jitter exponential backoff unless the server names one.
//
// It never sends less than the request: a body that streams cannot be sent twice, so such a request gets
// one attempt, and a failure says so. It does not wait longer than the caller would (Request::deadline, set
// by an enclosing Timeout), nor longer than `server_delay_max`: then the last outcome is returned at once
// and no figure of the server's is undercut. The outcome of the last attempt is the result, whatever it is.
struct Retry {
  int attempts = 3;
  Duration backoff = 100ms;
  Duration backoff_max = 20s;
  Jitter jitter = Jitter::full;
  Duration server_delay_max = 60s;
  // Treat every request as idempotent: the caller knows that sending twice does no harm.
  bool repeat_any_method = false;
  // Where jitter is drawn from; null: the reactor's generator. Must outlive the calls.
  Random* random = nullptr;
  // Called before each wait. May be empty.
  std::function<void(const RetryNotice&)> observer = {};

  // Delays of exactly 100, 200, 400, ... 6400, 6400 ms.
  static Retry doubling(int attempts) {
    Retry retry;
    retry.attempts = attempts;
    retry.backoff_max = 6400ms;
    retry.jitter = Jitter::none;
    return retry;
  }

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  std::optional<Duration> delay_after(const RetryDecision& decision, int retry, Random& drawn_from) const;
};

}  // namespace escapement::http
