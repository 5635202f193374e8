// One server-side service that runs as an epoll server and as a Worker, code for code.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::demo {

// GET /hello?name=N, /status/CODE, /headers (the request's x- fields), /wait?ms=N, /count?to=N (streamed);
// POST /echo (the body streamed back), /length (how long the body is). Anything else: 404.
Task<http::Response> echo_service(http::Request request);

}  // namespace escapement::demo
