// Uses something of every module, so that everything has to link.

#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/tls/tls.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/server/compress.h>

using namespace escapement;

inline Task<http::Response> hello(http::Request) { co_return http::Response(200, "hello"); }

inline Task<std::string> talk(Network& network) {
  Reactor& reactor = co_await this_reactor;
  http::Server server(http::layered(http::Compress(), http::Service(hello)));
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  const std::string address = listener->address();
  Scope scope(reactor);
  scope.spawn(server.serve(std::move(listener)));
  const http::Service api = http::layered(http::Timeout{5s}, http::Retry(), http::Client(network));
  http::Request request("GET", co_await http::Url::parse("http://" + address + "/"));
  http::Response response = co_await api(std::move(request));
  co_return co_await response.body.text(1 * KiB);
}

// 0: everything works.
inline int say_hello() {
  const Result<TlsClient> tls = TlsClient::make();
  const bool tls_is_well = tls || tls.error() == Errc::unsupported;  // a build without TLS
  if (!tls_is_well) std::printf("no TLS: %s\n", to_string(tls.error()).c_str());
  Loop loop;
  const Result<std::string> said = loop.run(talk(loop.network()));
  std::printf("%s\n", said ? said->c_str() : to_string(said.error()).c_str());
  return tls_is_well && said && *said == "hello" ? 0 : 1;
}
