// streaming_proxy HOST:PORT FIRST-URL SECOND-URL
#include "streaming_proxy.h"

#include <csignal>
#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/server/error_responses.h>
#include <escapement/middleware/server/forward.h>

using namespace escapement;

namespace {

struct Proxy {
  http::Service client;
  http::Url first;
  http::Url second;
  Instant first_is_down_until;
};

Task<http::Response> ask(Proxy& proxy, http::Request request, http::Url upstream) {
  http::Request forwarded = co_await http::forward(std::move(request), upstream);
  http::Response response = co_await proxy.client(std::move(forwarded));
  http::remove_connection_fields(response.headers);
  co_return std::move(response);
}

Task<http::Response> handle(std::shared_ptr<Proxy> proxy, http::Request request) {
  Reactor& reactor = co_await this_reactor;
  if (reactor.now() < proxy->first_is_down_until) {
    co_return co_await ask(*proxy, std::move(request), proxy->second);
  }
  // A body that streams can be sent once only; what may have had an effect is not sent again either.
  std::optional<http::Request> again;
  if (request.body.replayable()) {
    again = request.copy_without_body();
    again->body = request.body.copy();
  }
  const bool idempotent = http::idempotent(request.method, request.headers);
  Result<http::Response> response = co_await ask(*proxy, std::move(request), proxy->first).result();
  if (response) co_return std::move(response);
  proxy->first_is_down_until = reactor.now() + Duration(5s);
  const bool may_ask_again = again && (idempotent || !response.error().maybe_sent());
  if (!may_ask_again) co_await std::move(response).error();
  co_return co_await ask(*proxy, *std::move(again), proxy->second);
}

Task<> stop(http::Server& server, Signals& signals) {
  co_await signals.next();
  server.shutdown();
}

}  // namespace

http::Service make_proxy(Network& network, http::Url first, http::Url second) {
  http::ClientOptions options;
  options.connect_timeout = 1s;
  options.head_timeout = 10s;
  auto proxy = std::make_shared<Proxy>(
      Proxy{http::Client(network, options), std::move(first), std::move(second), Instant()});
  auto handler = [proxy](http::Request request) { return handle(proxy, std::move(request)); };
  return http::layered(http::ErrorResponses(), std::move(handler));
}

int main(int count, char** arguments) {
  Result<http::Url> first = http::Url::parse(count == 4 ? arguments[2] : "");
  Result<http::Url> second = http::Url::parse(count == 4 ? arguments[3] : "");
  if (!first || !second) {
    std::fprintf(stderr, "usage: streaming_proxy HOST:PORT FIRST-URL SECOND-URL\n");
    return 2;
  }
  Loop loop;
  auto signals = Signals::make(loop.backend(), {SIGINT, SIGTERM});
  http::Server server(make_proxy(loop.network(), *std::move(first), *std::move(second)));
  auto ended = loop.run(all(server.listen(loop.network(), arguments[1]), stop(server, **signals)));
  if (!ended) std::fprintf(stderr, "streaming_proxy: %s\n", to_string(ended.error()).c_str());
  return ended ? 0 : 1;
}
