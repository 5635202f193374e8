// A web server for a folder, with logs and metrics:  files FOLDER HOST:PORT

#include <csignal>
#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>
#include <escapement/middleware/files/static_files.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/middleware/observe/metrics.h>
#include <escapement/middleware/server/compress.h>
#include <escapement/middleware/server/router.h>

using namespace escapement;

// [service]
Result<http::Service> site(const std::string& folder) {
  Result<http::StaticFiles> files = http::StaticFiles::make(folder);
  if (!files) return files.error();
  http::Metrics metrics;
  Result<http::Router> router = http::Router::make({{"GET", "/metrics", metrics.page()}}, *files);
  if (!router) return router.error();
  http::AccessLog log;
  log.sink = [](std::string_view line) { std::fwrite(line.data(), 1, line.size(), stdout); };
  return http::layered(log, metrics, http::Compress{}, *router);
}
// [service]

Task<> stop_at_signal(http::Server& server, Signals& signals) {
  co_await signals.next();
  server.shutdown();
}

Task<> serve(Loop& loop, std::string folder, std::string address) {
  http::Service service = co_await site(folder);
  http::Server server(service);
  Result<std::unique_ptr<Signals>> made = Signals::make(loop.backend(), {SIGINT, SIGTERM});
  std::unique_ptr<Signals> signals = co_await std::move(made);
  co_await all(server.listen(loop.network(), address), stop_at_signal(server, *signals));
}

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: files FOLDER HOST:PORT\n");
    return 2;
  }
  Loop loop;
  Result<> served = loop.run(serve(loop, arguments[1], arguments[2]));
  if (!served) std::fprintf(stderr, "files: %s\n", to_string(served.error()).c_str());
  return served ? 0 : 1;
}
