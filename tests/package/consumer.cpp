// Uses something of every module, so that everything has to link.

#include <cstdio>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/loop.h>
#include <escapement/middleware/retry.h>
#include <escapement/middleware/timeout.h>

using namespace escapement;

namespace {

Task<http::Response> hello(http::Request) { co_return http::Response(200, "hello"); }

Task<std::string> talk(Network& network) {
  Reactor& reactor = co_await this_reactor;
  http::Server server(hello);
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  const std::string address = listener->address();
  Scope scope(reactor);
  scope.spawn(server.serve(std::move(listener)));
  const http::Service api = http::layered(http::Timeout{5s}, http::Retry(), http::Client(network));
  http::Request request("GET", co_await http::Url::parse("http://" + address + "/"));
  http::Response response = co_await api(std::move(request));
  co_return co_await response.body.text(1 * KiB);
}

}  // namespace

int main() {
  Loop loop;
  const Result<std::string> said = loop.run(talk(loop.network()));
  std::printf("%s\n", said ? said->c_str() : to_string(said.error()).c_str());
  return said && *said == "hello" ? 0 : 1;
}
