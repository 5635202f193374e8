// Tests of the notes in simulated time: an hour passes at once, and every fault comes from a seed.

#include <cstdio>
#include <cstdlib>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/timers/sleep.h>

#include "notes.h"

using namespace escapement;

void check(bool right, const char* what) {
  std::printf("%s %s\n", right ? "ok" : "FAILED", what);
  if (!right) std::exit(1);
}

// [exchange]
Task<std::string> write_and_read(const http::Service& api) {
  http::Request put("PUT", co_await http::Url::parse("http://notes.test/notes/shopping"), {}, "tea");
  co_await api(std::move(put));
  http::Response response = co_await api(http::get("http://notes.test/notes/shopping"));
  co_return co_await response.body.text(1 * KiB);
}

Task<std::string> exchange(SimNetwork& network) {
  Reactor& reactor = co_await this_reactor;
  notes::Notes notes;
  http::Server server(notes::service(notes));
  Scope scope(reactor);
  scope.spawn(server.listen(network, "notes.test:80"));
  co_await sleep(1ms);  // the server listens
  http::Client client(network);
  co_return co_await write_and_read(client);
}

void a_note_is_kept() {
  Sim sim;
  Result<std::string> text = sim.run(exchange(sim.network()));
  check(text && *text == "tea", "a note is kept");
}
// [exchange]

// [hour]
Task<> wait_an_hour() { co_await sleep(1h); }

void an_hour_takes_no_time() {
  Sim sim;
  Result<> slept = sim.run(wait_an_hour());
  check(slept && sim.elapsed() == 1h, "an hour has passed");
}
// [hour]

// [faults]
Task<std::string> retried(SimNetwork& network) {
  Reactor& reactor = co_await this_reactor;
  notes::Notes notes;
  http::Server server(notes::service(notes));
  Scope scope(reactor, [](const Error&) {});  // the server sees broken connections too
  scope.spawn(server.listen(network, "notes.test:80"));
  co_await sleep(1ms);
  http::Service api = http::layered(http::Retry{.attempts = 20}, http::Timeout{1s}, http::Client(network));
  co_return co_await write_and_read(api);
}

void faults_are_survived() {
  int right = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SimNetworkOptions options;
    options.latency = 20ms;
    options.refuse_one_in = 4;  // every fourth connection is refused
    Sim sim(Seed{seed}, options);
    Result<std::string> text = sim.run(retried(sim.network()));
    right += text && *text == "tea";
  }
  check(right == 100, "a hundred networks with faults");
}
// [faults]

int main() {
  a_note_is_kept();
  an_hour_takes_no_time();
  faults_are_survived();
}
