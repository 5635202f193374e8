// Timeout: a limit on the time until the response's head.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Fails with Errc::timed_out, and cancels the call, when `limit` has passed and the next service has not
// answered. It covers everything inside it up to the response's head, **not the body**: limit that with
// `with_timeout` around the reading. An answer in the same turn wins. `Duration::max()` is no limit.
//
// Outside a Retry it limits all attempts and the waits between them; inside, each attempt:
//     layered(Timeout{2s}, Retry{}, Timeout{250ms}, client)
//
// The error says which of the two it was (Error::limit: overall, per_try), whom the request was for, which
// attempt was under way and what it was doing: "http://a.test: no response within 250ms; it was connecting".
// Nothing was sent where a Client had not begun to.
struct Timeout {
  Duration limit;

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
