// The routes of esc-serve.

#pragma once

#include <string>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/server/router.h>

namespace escapement {

// Returns every route listed by serve_routes_help(), plus `more`; `otherwise` handles requests that match
// none. The service holds the counters of /flaky.
http::Service serve_routes(std::vector<http::Route> more, http::Service otherwise);
// Responds with 404 and a hint.
Task<http::Response> serve_no_route(http::Request request);
std::string serve_routes_help();

// Responds to every request with 200 and its own body, or with "hello" if it has none.
Task<http::Response> serve_echo(http::Request request);

}  // namespace escapement
