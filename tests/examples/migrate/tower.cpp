// A tower stack's parts with escapement: services, layers, a stack of them, and a mock service in a test.

#include <cstdio>

#include <escapement/io/http/service.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/concurrency_limit.h>
#include <escapement/middleware/limits/rate_limit.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

// [service]
Task<http::Response> hello(http::Request request) {
  co_await sleep(1ms);
  co_return http::Response(200, "hello " + request.url.path());
}
// [service]

// [layer]
// A layer: settings, and one function that gets the request and the service inside.
struct Timing {
  std::string name;

  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    Reactor& reactor = co_await this_reactor;
    const Instant began = reactor.now();
    http::Response response = co_await next(std::move(request));
    const double took = (reactor.now() - began).milliseconds();
    response.headers.set("Server-Timing", name + ";dur=" + std::to_string(static_cast<int>(took)));
    co_return std::move(response);
  }
};
// [layer]

// [stack]
http::Service stack(http::Service inner) {
  http::ConcurrencyLimits few;
  few.running_max = 100;
  http::RateLimits rate;
  rate.per_second = 50;
  return http::layered(Timing{"total"},              // sees the request first, the response last
                       http::RateLimit(rate),        // 429 with Retry-After
                       http::ConcurrencyLimit(few),  // waits, then 503
                       http::Timeout{1s},            // fails with Errc::timed_out
                       std::move(inner));
}
// [stack]

// [retry]
http::Service patient(http::Service api) {
  return http::layered(http::Timeout{10s},                            // the whole call
                       http::Retry{.attempts = 4, .backoff = 100ms},  // full jitter; obeys Retry-After
                       http::Timeout{1s},                             // each attempt
                       std::move(api));
}
// [retry]

// [mock]
Task<> flaky_service_is_retried() {
  int calls = 0;
  http::Service flaky = [&calls](http::Request) -> Task<http::Response> {
    ++calls;
    if (calls < 3) co_return http::Response(503);
    co_return http::Response(200, "at last");
  };
  http::Service api = patient(flaky);
  http::Response response = co_await api(http::get("http://mock.test/"));
  std::printf("%d after %d calls: %s\n", response.status, calls, std::string(response.body.bytes()).c_str());
}
// [mock]

Task<> program() {
  http::Service service = stack(hello);
  http::Response response = co_await service(http::get("http://mock.test/you"));
  std::printf("%d %s, %s\n", response.status, std::string(response.body.bytes()).c_str(),
              response.headers.get("server-timing")->c_str());
  co_await flaky_service_is_retried();
}

int main() {
  Sim sim;  // the waits between the attempts take no time
  Result<> done = sim.run(program());
  if (!done) std::puts(to_string(done.error()).c_str());
  return done ? 0 : 1;
}
