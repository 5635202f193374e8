// Deadline: limits a call from its beginning to the last byte of the response.

#pragma once

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// Cancels the call, or fails the reading of its response's body, with timed_out (TimeLimit::overall) when
// `limit` has passed since the call began: time in the client's queue, attempts and the waits between them,
// redirects and the body all count, and so does a consumer that takes its time. Put it outside of Retry and
// Redirect:
//
//     layered(Deadline{5s}, Redirect{}, Retry{}, Timeout{1s}, SendDeadline{}, client)
//
// It sets Request::deadline, so that nothing inside begins what cannot be finished: Retry does not wait
// beyond it, and SendDeadline (deadline_field.h) tells it to the server. A deadline that the request already
// has counts if it is earlier, such as that of the request on whose behalf this one is made; one that has
// passed fails the call before anything is sent. A result in the same turn wins. `Duration::max()` is no
// limit. Bytes of a body that are in memory are left alone.
//
// The error says what the call was doing, as that of Timeout does.
struct Deadline {
  static constexpr LayerRole role = LayerRole::deadline;  // layer_order.h

  Duration limit;  // from the call to the end of the response's body

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
