// The application in simulated time: no sockets, no waiting.

#include "app.h"

#include <escapement/io/sim/sim.h>

#include "expect.h"

using namespace escapement;

namespace {

Task<std::string> get(http::Service app, std::string path) {
  http::Request request("GET", co_await http::Url::parse("http://test" + path));
  http::Response response = co_await app(std::move(request));
  std::string text = co_await response.body.text(1 * KiB);
  co_return std::to_string(response.status) + " " + text;
}

}  // namespace

int main() {
  Sim sim;
  const http::Service app = make_app();
  EXPECT(*sim.run(get(app, "/hello/you")) == "200 hello you\n");
  EXPECT(sim.run(get(app, "/nowhere"))->starts_with("404 "));

  const Duration before = sim.elapsed();
  EXPECT(sim.run(get(app, "/slow"))->starts_with("504 "));
  EXPECT(sim.elapsed() - before == 2s);  // the limit, to the nanosecond
  return failures == 0 ? 0 : 1;
}
