// setTimeout, promises and AbortController with escapement: sleep, combinators, scopes.

#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/interval.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [later]
Task<> later(std::string what) {
  co_await sleep(1s);
  std::puts(what.c_str());
}

Task<> set_and_clear() {
  Reactor& reactor = co_await this_reactor;
  Scope timers(reactor);
  timers.spawn(later("tea is ready"));  // setTimeout
  JoinHandle<void> biscuits = timers.spawn_joinable(later("biscuits are ready"));
  biscuits.cancel();  // clearTimeout
  co_await timers.join();
}
// [later]

// [repeat]
Task<> repeat() {
  Interval tick(500ms);
  for (int n = 0; n < 3; ++n) {
    co_await tick.next();
    std::printf("tick %d\n", n);
  }
}
// [repeat]

// [abort]
Task<std::string> load(std::string name) {
  co_await sleep(name == "big" ? Duration(1h) : Duration(10ms));
  co_return name + " loaded";
}

Task<> abort_by_user(Event& clicked) {
  std::variant<std::string, std::monostate> first = co_await select(load("big"), clicked.wait());
  std::puts(first.index() == 0 ? "loaded" : "aborted");  // load() is destroyed by now
}

Task<> abort_after_a_while() {
  Result<std::string> loaded = co_await with_timeout(5s, load("big")).result();
  std::puts(to_string(loaded.error()).c_str());
}
// [abort]

// [promises]
Task<> promises() {
  auto [a, b] = co_await all(load("a"), load("b"));               // Promise.all
  std::string first = co_await race(load("big"), load("small"));  // Promise.race
  Result<std::string> settled = co_await load("c").result();      // Promise.allSettled, of one
  std::printf("%s, %s; %s; %s\n", a.c_str(), b.c_str(), first.c_str(), settled->c_str());
}
// [promises]

Task<> click(Event& clicked) {
  co_await sleep(2s);
  clicked.set();
}

Task<> program() {
  co_await set_and_clear();
  co_await repeat();
  Event clicked;
  co_await all(abort_by_user(clicked), click(clicked));
  co_await abort_after_a_while();
  co_await promises();
}

int main() {
  Sim sim;  // natively Loop; in a JavaScript host the glue runs the task
  Result<> done = sim.run(program());
  if (!done) std::puts(to_string(done.error()).c_str());
  return done ? 0 : 1;
}
