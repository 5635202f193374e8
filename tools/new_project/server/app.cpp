#include "app.h"

#include <string>

#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/server/error_responses.h>
#include <escapement/middleware/server/router.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Task<http::Response> hello(http::Request, http::PathParams parameters) {
  co_return http::Response(200, "hello " + std::string(parameters["name"]) + "\n");
}

// A handler may wait for as long as the Timeout below allows.
Task<http::Response> slow(http::Request) {
  co_await sleep(10s);
  co_return http::Response(200, "at last\n");
}

}  // namespace

http::Service make_app() {
  Result<http::Router> router = http::Router::make({
      {"GET", "/hello/:name", hello},
      {"GET", "/slow", slow},
  });
  return http::layered(http::ErrorResponses(), http::Timeout{2s}, *std::move(router));
}
