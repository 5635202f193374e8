// ClientRequestId: sends an id with each request, by which the server's log can be searched.

#pragma once

#include <string>

#include <escapement/io/http/service.h>

namespace escapement::http {

// Adds `field` with 32 random hexadecimal digits to a request that has none of that name; a handler that
// sends a request on for another one copies its id first. The response stays as it is: some servers respond
// with an id of their own. (For servers: RequestId, in observe/request_id.h.)
//
// Outside of Retry and Hedge all attempts carry one id, so that a server that knows it can tell a repetition;
// inside, each has its own.
//
//     const Service api = layered(ClientRequestId{}, Retry{}, client);
struct ClientRequestId {
  std::string field = "X-Request-Id";  // a field name

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
