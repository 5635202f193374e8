#include "app.h"

#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

// GET /?origin=URL: fetches it, with a limit for each attempt and one retry.
Task<http::Response> handle(http::Request request, http::Service upstream) {
  const std::string origin = request.url.query_parameter("origin");
  if (origin.empty()) co_return http::Response(400, "ask for /?origin=URL\n");
  http::Service api =
      http::layered(http::Retry{.attempts = 2, .backoff = 50ms}, http::Timeout{1s}, std::move(upstream));
  http::Request forwarded("GET", co_await http::Url::parse(origin));
  co_return co_await api(std::move(forwarded));
}
