// The routes of esc-serve.

#pragma once

#include <string>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/server/router.h>

namespace escapement {

// Every route below serve_routes_help(), and `more`; `otherwise` for what none of them matches. Counters of
// /flaky live in the service.
http::Service serve_routes(std::vector<http::Route> more, http::Service otherwise);
// 404, with a hint.
Task<http::Response> serve_no_route(http::Request request);
std::string serve_routes_help();

// Answers every request with 200 and its own body, or "hello" where there was none.
Task<http::Response> serve_echo(http::Request request);

}  // namespace escapement
