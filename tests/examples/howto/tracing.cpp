// A client whose requests are traced, in simulated time: docs/tracing.md.

#include <cstdio>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/observe/span_printer.h>
#include <escapement/middleware/observe/tracer.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

// Fails the first time.
http::Service origin() {
  auto calls = std::make_shared<int>(0);
  return [calls](http::Request) -> Task<http::Response> {
    const bool first = ++*calls == 1;
    co_await sleep(first ? 50ms : 200ms);
    co_return http::Response(first ? 503 : 200, "the answer");
  };
}

// [traced]
http::Service traced(http::Service api) {
  const auto print = [](std::string_view line) {
    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
  };
  const http::Tracer tracer(std::make_shared<http::SpanTree>(print));
  // Outside of Retry: requests. Inside: attempts.
  return http::layered(tracer, http::Retry::doubling(3), tracer, std::move(api));
}
// [traced]

Task<> call(const http::Service& api) {
  http::Response response = co_await api(http::get("http://api.test/answer?token=secret"));
  const std::string body = co_await response.body.text(1000);
}

int main() {
  Sim sim;
  const http::Service api = traced(origin());
  return sim.run(call(api)) ? 0 : 1;
}
