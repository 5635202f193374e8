// The routes of esc-serve.

#pragma once

#include <string>

#include <escapement/io/http/service.h>

namespace escapement {

// Every route below serve_routes_help(). Counters of /flaky live in the service.
http::Service serve_routes();
std::string serve_routes_help();

// Answers every request with 200 and its own body, or "hello" where there was none.
Task<http::Response> serve_echo(http::Request request);

}  // namespace escapement
