// The service in simulated time, with a stand-in for the host's fetch.

#include "app.h"

#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "expect.h"

using namespace escapement;

namespace {

Task<std::string> get(std::string target, http::Service upstream) {
  http::Request request("GET", co_await http::Url::parse("http://worker" + target));
  http::Response response = co_await handle(std::move(request), std::move(upstream));
  std::string text = co_await response.body.text(1 * KiB);
  co_return std::to_string(response.status) + " " + text;
}

}  // namespace

int main() {
  Sim sim;
  int calls = 0;
  const http::Service slow_once = [&calls](http::Request) -> Task<http::Response> {
    ++calls;
    if (calls == 1) co_await sleep(1h);
    co_return http::Response(200, "here");
  };
  EXPECT(*sim.run(get("/", slow_once)) == "400 ask for /?origin=URL\n");
  EXPECT(*sim.run(get("/?origin=http://origin/", slow_once)) == "200 here");
  EXPECT(calls == 2);
  EXPECT(sim.elapsed() >= 1s);  // the first attempt's limit
  EXPECT(sim.elapsed() < 2s);
  return failures == 0 ? 0 : 1;
}
