// An HTTP service of notes on a port:  notes HOST:PORT

#include <csignal>
#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>
#include <escapement/middleware/limits/rate_limit.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/middleware/server/compress.h>

#include "notes.h"

using namespace escapement;

// [serve]
Task<> stop_at_signal(http::Server& server, Signals& signals) {
  co_await signals.next();
  server.shutdown(5s);  // requests in flight have five seconds to complete
}

Task<> serve(Loop& loop, std::string address) {
  notes::Notes notes;
  http::RateLimits limits;
  limits.per_second = 100;
  http::AccessLog log;
  log.sink = [](std::string_view line) { std::fwrite(line.data(), 1, line.size(), stdout); };
  http::ServerOptions options;
  options.body_bytes_max = 64 * KiB;
  options.handler_timeout = 5s;
  http::Server server(http::layered(log, http::RateLimit(limits), http::Compress{}, notes::service(notes)),
                      options);

  Result<std::unique_ptr<Signals>> made = Signals::make(loop.backend(), {SIGINT, SIGTERM});
  std::unique_ptr<Signals> signals = co_await std::move(made);
  co_await all(server.listen(loop.network(), address), stop_at_signal(server, *signals));
}
// [serve]

int main(int count, char** arguments) {
  Loop loop;
  Result<> served = loop.run(serve(loop, count == 2 ? arguments[1] : "127.0.0.1:8080"));
  if (!served) std::fprintf(stderr, "notes: %s\n", to_string(served.error()).c_str());
  return served ? 0 : 1;
}
