// The main job over real sockets:  main_job_native epoll|poll http://HOST:PORT/run-ID
// Under simulated time, against the same server in the same process:  main_job_native sim FIXTURES

#include <cstdio>
#include <string_view>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/sim/sim.h>

#include "main_job.h"
#include "tools/serve/fixture_service.h"

using namespace escapement;

namespace {

Task<std::string> over_sockets(Loop& loop, std::string base) {
  http::Client client(loop.network());
  co_return co_await demo::main_job(client, std::move(base));
}

Task<std::string> simulated(SimNetwork& network, std::vector<demo::Recording> recordings) {
  Reactor& reactor = co_await this_reactor;
  http::Server server(demo::fixture_service(std::move(recordings)));
  std::unique_ptr<Listener> listener = co_await network.listen("api.test:80");
  Scope scope(reactor);
  scope.spawn(server.serve(std::move(listener)));
  http::Client client(network);
  co_return co_await demo::main_job(client, "http://api.test/run-sim");
}

int finish(const Result<std::string>& report) {
  if (!report) {
    std::fprintf(stderr, "main_job: %s\n", to_string(report.error()).c_str());
    return 1;
  }
  std::fwrite(report->data(), 1, report->size(), stdout);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: main_job_native epoll|poll URL | sim FIXTURES\n");
    return 2;
  }
  const std::string how = arguments[1];
  if (how == "sim") {
    Result<std::vector<demo::Recording>> recordings = demo::load_recordings(arguments[2]);
    if (!recordings) return finish(recordings.error());
    SimNetworkOptions options;
    options.latency = 1ms;
    Sim sim(Seed{1}, options);
    return finish(sim.run(simulated(sim.network(), *std::move(recordings))));
  }
  LoopOptions options;
  options.backend = how;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  if (!loop) return finish(loop.error());
  return finish((*loop)->run(over_sockets(**loop, arguments[2])));
}
