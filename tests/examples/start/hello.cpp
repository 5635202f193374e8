// The program of the first page: a server whose every response takes half a second, and a client beside it.

#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

Task<http::Response> hello(http::Request request) {
  co_await sleep(500ms);
  co_return http::Response(200, "hello " + request.url.query_parameter("name"));
}

Task<std::string> ask(const http::Client& client, std::string url) {
  http::Response response = co_await client(http::get(url));
  co_return co_await response.body.text(1 * KiB);
}

Task<> program(Network& network) {
  Reactor& reactor = co_await this_reactor;
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  const std::string url = "http://" + listener->address() + "/?name=";
  http::Server server(hello);
  Scope background(reactor);
  background.spawn(server.serve(std::move(listener)));

  http::Client client(network);
  auto [ann, bob] = co_await all(ask(client, url + "Ann"), ask(client, url + "Bob"));
  std::printf("%s, %s\n", ann.c_str(), bob.c_str());  // both after half a second

  Result<std::string> eve = co_await with_timeout(100ms, ask(client, url + "Eve")).result();
  std::puts(to_string(eve.error()).c_str());
}

int main() {
  Loop loop;
  Result<> done = loop.run(program(loop.network()));
  if (!done) std::puts(to_string(done.error()).c_str());
  return done ? 0 : 1;
}
