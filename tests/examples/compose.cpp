// Tasks and operations compose: time limits, races, and which of two came first.

#include <cstdio>
#include <variant>

#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

Task<> work() { co_await sleep(1h); }

// [compose]
Task<int> answer() {
  co_await sleep(20ms);
  co_return 42;
}

Task<std::string> compose(Event& stopping) {
  const int number = co_await with_timeout(1s, answer());
  Result<> hasty =
      co_await with_timeout(5ms, stopping.wait()).result();  // cancelled and destroyed after 5 ms
  co_await race(work(), sleep(10ms));                        // the loser is destroyed
  std::variant<int, std::monostate> first = co_await select(answer(), stopping.wait());
  const std::string winner = first.index() == 0 ? "answer" : "stopping";
  co_return std::to_string(number) + ", then " + to_string(hasty.error()) + ", then " + winner;
}

int main() {
  Loop loop;  // epoll or poll
  Event stopping;
  Result<std::string> text = loop.run(compose(stopping));
  std::puts(text->c_str());  // 42, then timed_out: nothing within 5ms, then answer
}
// [compose]
