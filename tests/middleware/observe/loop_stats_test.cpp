// Watched turns, in simulated time that a task can make pass while it runs.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/default_headers.h>
#include <escapement/middleware/observe/loop_stats.h>
#include <escapement/middleware/server/router.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

struct Recorder final : TurnWatcher {
  void turn_ended(const Turn& turn) override { turns.push_back(turn); }
  std::vector<Turn> turns;
};

Task<> busy(Sim& sim, Duration after, Duration length) {
  co_await sleep(after);
  sim.backend().freeze(length);
  co_await sleep(1h);  // suspended there, so that its frame still says where it is
}

}  // namespace

TEST_CASE("turns: length, what ran, timers, lateness, and the one that took longest") {
  Sim sim;
  Recorder recorder;
  sim.reactor().watch_turns(&recorder);
  Scope scope(sim.reactor());
  scope.spawn(busy(sim, 10ms, 30ms));
  scope.spawn(busy(sim, 10ms, 5ms));
  scope.spawn(busy(sim, 20ms, 1ms));  // due while the first two run
  sim.advance(100ms);
  sim.reactor().watch_turns(nullptr);
  REQUIRE(recorder.turns.size() >= 3);
  const Turn& spawned = recorder.turns[0];
  CHECK(spawned.resumed == 3);
  CHECK(spawned.timers == 0);
  CHECK(spawned.length == Duration());
  const Turn& first = recorder.turns[1];
  CHECK(first.began == Instant() + 10ms);
  CHECK(first.length == 35ms);
  CHECK(first.resumed == 2);
  CHECK(first.timers == 2);
  CHECK(first.lateness == Duration());
  CHECK(first.longest == 30ms);
  CHECK(first.longest_code != nullptr);
  const Turn& second = recorder.turns[2];
  CHECK(second.began == Instant() + 45ms);
  CHECK(second.lateness == 25ms);
  CHECK(second.length == 1ms);
  CHECK(second.longest_code == first.longest_code);  // the same coroutine
  const std::size_t watched = recorder.turns.size();
  sim.advance(2h);
  CHECK(recorder.turns.size() == watched);
}

TEST_CASE("turn figures: metrics, and a watchdog that names long turns only") {
  Sim sim;
  std::vector<std::string> told;
  LoopStats figures(20ms, [&](const Turn& turn) { told.push_back(describe(turn)); });
  sim.reactor().watch_turns(&figures);
  const http::Metrics metrics;
  figures.add_to(metrics, sim.timers());
  Scope scope(sim.reactor());
  scope.spawn(busy(sim, 10ms, 30ms));
  scope.spawn(busy(sim, 50ms, 20ms));
  scope.spawn(busy(sim, 15ms, 0ms));
  sim.advance(100ms);
  CHECK(told == std::vector<std::string>{"a turn of 30.0 ms; 1 things ran, the longest 30.0 ms"});
  const std::string text = metrics.sample().text();
  CAPTURE(text);
  for (const char* line : {"\nreactor_long_turns_total 1\n", "\ntimers_fired_total 3\n", "\ntimers_live 3\n",
                           "\nreactor_turn_seconds_total 0.05\n", "\ntimer_lateness_seconds_total 0.025\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != text.npos);
  }
  sim.reactor().watch_turns(nullptr);
}

namespace {

// Answers without waiting, and takes long.
struct Busy {
  Task<http::Response> operator()(http::Request) const {
    sim->backend().freeze(30ms);
    co_return http::Response(200);
  }
  Sim* sim;
};

Sim* frozen = nullptr;

Task<http::Response> busy_function(http::Request) {
  frozen->backend().freeze(40ms);
  co_return http::Response(200);
}

Task<http::Response> busy_route(http::Request, http::PathParams) {
  frozen->backend().freeze(50ms);
  co_return http::Response(200);
}

Task<http::Response> busy_after_a_while(http::Request) {
  co_await sleep(10ms);
  frozen->backend().freeze(60ms);
  co_return http::Response(200);
}

const void* named_by(Sim& sim, http::Service service, const char* path) {
  Recorder recorder;
  http::Server server(std::move(service));
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  const std::string asks = "GET " + std::string(path) + " HTTP/1.1\r\nHost: s\r\n\r\n";
  CHECK(sim.run(stream->write(as_bytes(asks + asks))));
  sim.reactor().watch_turns(&recorder);
  sim.advance(1s);
  sim.reactor().watch_turns(nullptr);
  const Turn* longest = nullptr;
  for (const Turn& turn : recorder.turns) {
    if (longest == nullptr || turn.longest > longest->longest) longest = &turn;
  }
  REQUIRE(longest != nullptr);
  CHECK(longest->longest >= 30ms);
  return longest->longest_code;
}

}  // namespace

TEST_CASE("turns: the handler of a request that was answered without waiting is named") {
  Sim sim;
  frozen = &sim;
  const auto place = [](auto* function) { return reinterpret_cast<const void*>(function); };
  CHECK(named_by(sim, busy_function, "/") == place(busy_function));
  // Behind layers, each a coroutine around it.
  const http::Metrics metrics;
  const http::DefaultHeaders defaults;
  CHECK(named_by(sim, http::layered(metrics, defaults, http::Service(busy_function)), "/") ==
        place(busy_function));
  const Busy busy{&sim};
  const void* code = named_by(sim, http::layered(metrics, http::Service(busy)), "/");
  CHECK(code != nullptr);
  CHECK(code == http::Service(busy).handler_code());
  CHECK(code != http::Service(busy_function).handler_code());
  // The one that a router chose, or what stands behind it.
  std::vector<http::Route> routes;
  routes.emplace_back("GET", "/route", busy_route);
  routes.emplace_back("GET", "/function", busy_function);
  routes.emplace_back("GET", "/service", http::Service(busy));
  const http::Router router = *http::Router::make(std::move(routes), busy);
  CHECK(named_by(sim, http::layered(metrics, router), "/route") == place(busy_route));
  CHECK(named_by(sim, http::layered(metrics, router), "/function") == place(busy_function));
  CHECK(named_by(sim, http::layered(metrics, router), "/service") == code);
  CHECK(named_by(sim, http::layered(metrics, router), "/otherwise") == code);
  // And one that had waited is the coroutine that went on.
  const void* later = named_by(sim, busy_after_a_while, "/");
  CHECK(later != nullptr);
  CHECK(later != place(busy_function));
}
