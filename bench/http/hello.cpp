// An HTTP server as a user of the library writes one: the whole http::Server with its limits and timers as
// they are by default, and a coroutine for a Service. `bench_hello async` awaits something before it answers.

#include <string_view>

#include <escapement/io/http/server.h>

#include "stop.h"

using namespace escapement;

namespace {

// Not in the coroutine: g++ 12 has no place in its frame for an initialiser list.
http::Response answer() {
  return http::Response(200, http::Headers{{"Content-Type", "text/plain"}}, "Hello, World!");
}

Task<http::Response> hello(http::Request) { co_return answer(); }

Task<http::Response> hello_later(http::Request) {
  co_await yield();
  co_return answer();
}

Task<> serve(http::Server& server, Network& network) {
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  std::printf("%u\n", listener->port());
  std::fflush(stdout);
  co_await server.serve(std::move(listener));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc == 2 ? argv[1] : "";
  if (argc > 2 || (argc == 2 && mode != "async")) {
    std::fprintf(stderr, "usage: bench_hello [async]\n");
    return 2;
  }
  Loop loop;
  http::ServerOptions options;
  options.connections_max = 100'000;
  options.connections_per_peer_max = 100'000;  // the load has one address
  http::Server server(mode == "async" ? http::Service(hello_later) : http::Service(hello), options);
  return bench::run_until_sigterm(loop, serve(server, loop.network()));
}
