// Timeout: a limit on the time until the response's head.

#pragma once

#include <algorithm>

#include <escapement/io/http/service.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

// Fails with Errc::timed_out, and cancels the call, when `limit` has passed and the next service has not
// answered. It covers everything inside it up to the response's head, **not the body**: limit that with
// `with_timeout` around the reading. An answer in the same turn wins. `Duration::max()` is no limit.
//
// Outside a Retry it limits all attempts and the waits between them; inside, each attempt:
//     layered(Timeout{2s}, Retry{}, Timeout{250ms}, client)
struct Timeout {
  Duration limit;

  Task<Response> operator()(Request request, const Service& next) const {
    Reactor& reactor = co_await this_reactor;
    request.deadline = std::min(request.deadline, reactor.precise_now() + limit);
    co_return co_await with_timeout(limit, next(std::move(request)));
  }
};

}  // namespace escapement::http
