// The README's program: a client with layers and a server, together in a simulated network.

#include <cstdio>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim.h>
#include <escapement/middleware/redirect.h>
#include <escapement/middleware/retry.h>
#include <escapement/middleware/timeout.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

// [client]
Task<std::string> newest(http::Service api) {
  co_await sleep(10ms);
  http::Response page = co_await api(http::get("http://hub.test/newest"));
  co_return co_await page.body.text(1 * MiB);
}
// [client]

// [server]
Task<http::Response> hello(http::Request request) {
  co_await sleep(5ms);
  co_return http::Response(200, "hello " + request.url.path());
}
// [server]

Task<std::string> together(SimNetwork& network) {
  Reactor& reactor = co_await this_reactor;
  http::Server server(hello);
  Scope scope(reactor);
  scope.spawn(server.listen(network, "hub.test:80"));
  // clang-format off
  // [layers]
  http::Service api = http::layered(http::Timeout{2s},                           // the whole call, retries included
                                    http::Retry{.attempts = 3, .backoff = 100ms},
                                    http::Timeout{250ms},                        // each attempt
                                    http::Redirect{},                            // follows 301, 302, 303, 307, 308
                                    http::Client(network));
  // [layers]
  // clang-format on
  co_return co_await newest(api);
}

int main() {
  Sim sim(Seed{1});
  Result<std::string> text = sim.run(together(sim.network()));
  std::printf("%s after %.0f ms\n", text ? text->c_str() : to_string(text.error()).c_str(),
              sim.elapsed().milliseconds());
  return text && *text == "hello /newest" && sim.elapsed() == 15ms ? 0 : 1;
}
