// @NAME@ [HOST:PORT]: serves until SIGINT or SIGTERM, then finishes the in-flight requests.

#include <csignal>
#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>

#include "app.h"

using namespace escapement;

namespace {

Task<> stop_at_signal(http::Server& server, Signals& signals) {
  co_await signals.next();
  server.shutdown();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string address = count > 1 ? arguments[1] : "127.0.0.1:8080";
  Loop loop;
  Result<std::unique_ptr<Signals>> signals = Signals::make(loop.backend(), {SIGINT, SIGTERM});
  if (!signals) {
    std::fprintf(stderr, "@NAME@: %s\n", to_string(signals.error()).c_str());
    return 1;
  }
  http::Server server(make_app());
  std::printf("http://%s/hello/you\n", address.c_str());
  std::fflush(stdout);
  const auto ended = loop.run(all(server.listen(loop.network(), address), stop_at_signal(server, **signals)));
  if (ended) return 0;
  std::fprintf(stderr, "@NAME@: %s\n", to_string(ended.error()).c_str());
  return 1;
}
