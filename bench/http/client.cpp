// A client as a user of the library writes one: an http::Client with its limits as they are by default, but
// for the number of connections, and a coroutine for each connection that asks for the same page over and
// over, and reads its body. `--help` says how to use it. Prints one line of JSON.

#include <malloc.h>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>

#include "client_run.h"

using namespace escapement;

namespace {

Task<> ask_on(const http::Client& client, const http::Url& url, bench::Progress& progress) {
  while (!progress.over()) {
    http::Response response = co_await client(http::Request(http::Method::get(), url));
    if (response.body.replayable()) {
      std::string text = co_await response.body.text(64 * KiB);
      if (text.empty()) co_return;
    }
    for (bool more = !response.body.replayable(); more;) {
      std::string piece = co_await response.body.read();
      more = !piece.empty();
    }
    progress.answered();
    progress.look_at_clock();
  }
}

Task<> ask_on_all(const http::Client& client, const http::Url& url, const bench::ClientRun& run) {
  bench::Progress progress(run);
  Scope scope(co_await this_reactor);
  for (int i = 0; i < run.connections; ++i) scope.spawn(ask_on(client, url, progress));
  co_await scope.join();
  progress.report();
}

long bytes_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<long>(info.uordblks + info.hblkhd);
}

Task<> ask_once(const http::Client& client, http::Url url) {
  Result<http::Response> response =
      co_await client(http::Request(http::Method::get(), std::move(url))).result();
  (void)response;  // a refused connection is as good
}

// So many at a time, each to an origin of its own or all to one.
Task<> ask_each(const http::Client& client, std::string host, int first, int count, std::uint16_t port) {
  Scope scope(co_await this_reactor);
  for (int i = first; i < first + count; ++i) {
    std::string name =
        host.empty() ? "127.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) : host;
    http::Url url = co_await http::Url::parse("http://" + name + ":" + std::to_string(port) + "/");
    scope.spawn(ask_once(client, std::move(url)));
  }
  co_await scope.join();
}

// The first half is not counted: what the pool and the allocator keep for good comes with it.
Task<> measure_idle(const http::Client& client, const bench::ClientRun& run) {
  const int half = run.connections / 2;
  co_await ask_each(client, "127.0.0.1", 0, half, run.port);
  co_await ask_each(client, "127.0.0.1", 0, half, run.port);
  const long before = bytes_in_use();
  const std::size_t idle_before = client.idle_connections();
  co_await ask_each(client, "127.0.0.1", 0, run.connections, run.port);
  const long after = bytes_in_use();
  const std::size_t idle_now = client.idle_connections() - idle_before;

  // Nobody listens there.
  for (int i = 0; i < 3; ++i) co_await ask_each(client, "", 0, 1000, 1);
  const long none = bytes_in_use();
  co_await ask_each(client, "", 1000, 1000, 1);
  const long forgotten = bytes_in_use();
  std::printf("{\"idle\": %zu, \"bytes_each\": %.1f, \"origins_left\": %zu, \"bytes_forgotten\": %.2f}\n",
              idle_now, static_cast<double>(after - before) / static_cast<double>(idle_now),
              client.origins() - 1, static_cast<double>(forgotten - none) / 1000);
}

}  // namespace

int main(int argc, char** argv) {
  bench::ClientRun run;
  if (!run.read(argc, argv)) return 2;
  bench::allow_many_descriptors();
  Loop loop;
  http::ClientOptions options;
  const auto connections = static_cast<std::size_t>(run.connections);
  options.connections_per_host_max = connections;
  options.connections_max = options.idle_connections_max = options.idle_connections_per_host_max =
      connections + 2000;
  http::Client client(loop.network(), options);
  const Result<http::Url> url = http::Url::parse("http://127.0.0.1:" + std::to_string(run.port) + "/");
  if (!url) return 1;
  const Result<> done =
      run.idle ? loop.run(measure_idle(client, run)) : loop.run(ask_on_all(client, *url, run));
  if (done) return 0;
  std::fprintf(stderr, "bench_client: %s\n", to_string(done.error()).c_str());
  return 1;
}
