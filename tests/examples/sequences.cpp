// Async sequences, in simulated time: a server whose response a generator makes, and a client that reads it
// as lines, at its own pace, through a proxy.

#include <cstdio>

#include <escapement/core/generator.h>
#include <escapement/core/scope.h>
#include <escapement/io/buffered_reader.h>
#include <escapement/io/copy.h>
#include <escapement/io/http/body_sequence.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/pace.h>

using namespace escapement;

Generator<std::string> ticks(int count) {
  for (int i = 0; i < count; ++i) {
    co_await sleep(10ms);
    co_yield "tick " + std::to_string(i) + '\n';
  }
}

Task<http::Response> handler(http::Request) { co_return http::Response(200, http::streamed_body(ticks(5))); }

Task<> pass_on(Network& network, std::unique_ptr<Stream> client) {
  std::unique_ptr<Stream> server = co_await network.connect("server", 80);
  co_await copy_both(*client, *server, 1min);
}

Task<> proxy(Network& network, std::unique_ptr<Listener> listener, Scope& connections) {
  for (;;) {
    std::unique_ptr<Stream> client = co_await listener->accept();
    connections.spawn(pass_on(network, std::move(client)));
  }
}

Task<> print_lines(http::Client client) {
  Reactor& reactor = co_await this_reactor;
  http::Response response = co_await client(http::get("http://proxy/"));
  BufferedReader reader(http::BodyChunks(response.body));
  auto lines = throttle(reader.lines(80), 25ms);
  const Instant begin = reactor.now();
  while (std::optional<std::string> line = co_await lines.next()) {
    const double at = (reactor.now() - begin).milliseconds();
    std::printf("%3.0f ms: %s\n", at, line->c_str());
  }
}

int main() {
  Sim sim;
  http::Server server(handler);
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "server:80"));
  scope.spawn(proxy(sim.network(), *sim.network().listen("proxy:80"), scope));
  sim.settle();
  Result<> printed = sim.run(print_lines(http::Client(sim.network())));
  if (!printed) std::fprintf(stderr, "%s\n", to_string(printed.error()).c_str());
  return printed ? 0 : 1;
}
