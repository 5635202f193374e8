// A server:  server HOST:PORT

#include <csignal>
#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

// [server]
Task<http::Response> hello(http::Request request) {
  co_await sleep(5ms);
  co_return http::Response(200, "hello " + request.url.path());
}

Task<> stop(http::Server& server, Signals& signals) {
  co_await signals.next();
  server.shutdown();  // in-flight requests complete; idle connections close
}

auto serve(Loop& loop, std::string address, Signals& signals) {
  http::Server server(hello);
  return loop.run(all(server.listen(loop.network(), address), stop(server, signals)));
}
// [server]

int main(int count, char** arguments) {
  Loop loop;
  auto signals = Signals::make(loop.backend(), {SIGINT, SIGTERM});
  auto ended = serve(loop, count == 2 ? arguments[1] : "", **signals);
  if (!ended) std::fprintf(stderr, "server: %s\n", to_string(ended.error()).c_str());
  return ended ? 0 : 1;
}
