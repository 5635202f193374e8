// Tasks: values, failures, time limits, tasks beside each other, cancellation.

#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [value]
Task<int> price(std::string item) {
  co_await sleep(20ms);  // a look-up somewhere else
  if (item == "unicorn") co_await Error(Errc::not_found, "no " + item + " in the shop");
  co_return static_cast<int>(item.size()) * 100;
}

Task<int> sum() {
  const int tea = co_await price("tea");
  const int biscuits = co_await price("biscuits");
  co_return tea + biscuits;
}
// [value]

// [together]
Task<int> sum_at_once() {
  auto [tea, biscuits] = co_await all(price("tea"), price("biscuits"));
  co_return tea + biscuits;
}
// [together]

// [failure]
Task<> failures() {
  Result<int> unicorn = co_await price("unicorn").result();
  if (!unicorn && unicorn.error() == Errc::not_found) std::puts(to_string(unicorn.error()).c_str());

  Result<int> in_haste = co_await with_timeout(5ms, price("tea")).result();
  std::puts(to_string(in_haste.error()).c_str());
}
// [failure]

// [background]
struct Lamp {
  Lamp() { std::puts("lamp on"); }
  ~Lamp() { std::puts("lamp off"); }
};

Task<> keep_watch() {
  Lamp lamp;
  for (int round = 1;; ++round) {
    std::printf("round %d\n", round);
    co_await sleep(10ms);
  }
}

Task<> background() {
  Reactor& reactor = co_await this_reactor;
  {
    Scope watch(reactor);
    watch.spawn(keep_watch());
    co_await sleep(15ms);
  }  // the scope ends, and with it the task: its lamp goes off here
  std::puts("nobody watches");
}
// [background]

// [main]
int main() {
  Loop loop;
  Result<int> one_by_one = loop.run(sum());
  Result<int> at_once = loop.run(sum_at_once());
  std::printf("%d, %d\n", *one_by_one, *at_once);
  Result<> rest = loop.run(failures());
  if (rest) rest = loop.run(background());
  return rest ? 0 : 1;
}
// [main]
