// SendDeadline and TakeDeadline: a call's deadline travels to the server in a header field, so that the
// server stops when nobody waits for its response any more.

#pragma once

#include <string>
#include <string_view>

#include <escapement/io/http/service.h>

namespace escapement::http {

// The field that both use by default. It holds the time that is left, in whole milliseconds: a length of time
// and not a time of day, because clocks differ. (gRPC's grpc-timeout and Envoy's
// x-envoy-expected-rq-timeout-ms do the same.)
inline constexpr std::string_view deadline_field = "X-Request-Timeout-Ms";

// For clients: writes what is left until Request::deadline (Deadline, Timeout) into the field, anew for each
// attempt; so it belongs inside of Retry, next to the client. Fails with timed_out (TimeLimit::overall),
// nothing sent, if less than a millisecond is left. Leaves requests without a deadline alone.
struct SendDeadline {
  std::string field = std::string(deadline_field);  // its name
  Duration margin = {};  // subtracted from what is left: for the way of the response

  Task<Response> operator()(Request request, const Service& next) const;
};

// For servers: cancels the handler when the time in the field has passed, and responds with 504; a response
// whose body is still being sent then is cut off. Sets Request::deadline, for the handler to pass on to the
// requests that it makes itself. `longest` bounds what a client may ask for, and is what requests without the
// field get. A field that is no number, or several, count as none.
//
// Cancelling is as everywhere: the handler's task and all that it waits for are destroyed first.
struct TakeDeadline {
  std::string field = std::string(deadline_field);  // its name
  Duration longest = 60s;                           // more than that is not granted

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
