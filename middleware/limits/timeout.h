// Timeout: limits the time until the response head.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Cancels the call and fails with timed_out when `limit` has passed and the next service has not responded.
// Covers everything inside it up to the response head, **not the body**: limit that with `with_timeout`
// around the reading. A response in the same turn wins. `Duration::max()` is no limit.
//
// Outside a Retry it limits all attempts and the waits between them; inside, each attempt:
//     layered(Timeout{2s}, Retry{}, Timeout{250ms}, client)
// That of an attempt does not run while it waits in a queue, for a connection of the Client's pool or a place
// among the fetches of a Worker: it begins when the request can leave. The queue has a limit of its own.
//
// The error says which of the two it was (Error::limit: overall, per_try), which host the request was for,
// which attempt was in flight and what it was doing: "http://a.test: no response within 250ms; it was
// connecting". It says that nothing was sent if a Client had not begun to send.
struct Timeout {
  Duration limit;  // until the response head

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
