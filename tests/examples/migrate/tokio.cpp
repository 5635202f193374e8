// A tokio program's parts with escapement: spawn, join, select, timeouts, intervals, permits, channels,
// abort, task-local values.

#include <cstdio>

#include <escapement/core/cancel_token.h>
#include <escapement/core/channel.h>
#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/core/join_set.h>
#include <escapement/core/scope.h>
#include <escapement/core/task_local.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/interval.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [spawn]
Task<int> compute() {
  co_await sleep(10ms);
  co_return 42;
}

Task<int> spawn_and_join() {
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  JoinHandle<int> handle = scope.spawn_joinable(compute());
  const int value = co_await std::move(handle).join();
  co_return value;
}
// [spawn]

// [question_mark]
Result<int> parse(std::string_view text) {
  if (text != "42") return Error(Errc::invalid_argument, "not a number: " + std::string(text));
  return 42;
}

Task<int> doubled(std::string text) {
  const int number = co_await parse(text);  // a failed co_await returns the error, as ? does
  co_return number * 2;
}
// [question_mark]

// [timeout]
Task<std::string> slow() {
  co_await sleep(1h);
  co_return "late";
}

Task<std::string> limited() {
  Result<std::string> got = co_await with_timeout(2s, slow()).result();
  if (!got && got.error() == Errc::timed_out) co_return "gave up";
  co_return co_await std::move(got);
}
// [timeout]

// [select]
Task<std::string> first_of_two(Event& shutdown) {
  std::variant<int, std::monostate> first = co_await select(compute(), shutdown.wait());
  if (first.index() == 0) co_return "computed " + std::to_string(std::get<0>(first));
  co_return std::string("shutting down");
}
// [select]

// [join_set]
Task<int> many() {
  Reactor& reactor = co_await this_reactor;
  JoinSet<int> set(reactor);
  for (int i = 0; i < 10; ++i) set.spawn(compute());
  int sum = 0;
  for (;;) {
    std::optional<Result<int>> value = co_await set.next();
    if (!value) co_return sum;  // all have been seen
    const int one = co_await *std::move(value);
    sum += one;
  }
}
// [join_set]

// [interval]
Task<int> three_ticks() {
  Interval tick(100ms, Missed::skip);
  int ticks = 0;
  while (ticks < 3) {
    co_await tick.next();
    ++ticks;
  }
  co_return ticks;
}
// [interval]

// [semaphore]
Task<> one_at_a_time(Semaphore& permits) {
  Semaphore::Permit permit = co_await permits.acquire();
  co_await sleep(10ms);
}  // the permit goes back here
// [semaphore]

// [channel]
Task<> produce(Channel<int>& numbers) {
  for (int number = 1; number <= 100; ++number) co_await numbers.send(number);
  numbers.close();
}

Task<int> consume(Channel<int>& numbers) {
  int total = 0;
  for (;;) {
    std::optional<int> number = co_await numbers.receive();
    if (!number) co_return total;  // closed, and everything received
    total += *number;
  }
}

Task<int> through_a_channel() {
  Channel<int> numbers(8);
  auto [nothing, total] = co_await all(produce(numbers), consume(numbers));
  co_return total;
}
// [channel]

// [token]
Task<std::string> download(CancelToken token) {
  Result<std::string> got = co_await with_cancel(token, slow()).result();
  co_return got ? *got : std::string("stopped");
}

Task<> stop_later(CancelSource& stop) {
  co_await sleep(1s);
  stop.cancel();
}

Task<std::string> stopped_from_elsewhere() {
  CancelSource stop;
  auto [text, nothing] = co_await all(download(stop.token()), stop_later(stop));
  co_return text;
}
// [token]

// [cancel]
Task<> worker() {
  for (;;) co_await sleep(1s);
}

Task<> start_and_abort() {
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  scope.spawn(worker());
  co_await sleep(5s);
  scope.cancel();  // the worker's frame is destroyed when this returns
}
// [cancel]

// [task_local]
const TaskLocal<std::string> request_id;

Task<std::string> log_line(std::string text) {
  const std::string* id = co_await local(request_id);  // null where no with_local has set it
  co_return (id != nullptr ? *id : "-") + ": " + text;
}

Task<std::string> handle() {
  co_await sleep(10ms);
  co_return co_await log_line("handled");
}

Task<std::string> with_an_id() { co_return co_await with_local(request_id, "req-7", handle()); }
// [task_local]

Task<> program() {
  Reactor& reactor = co_await this_reactor;
  const int value = co_await spawn_and_join();
  std::printf("joined %d\n", value);
  const int number = co_await doubled("42");
  Result<int> wrong = co_await doubled("x").result();
  std::printf("%d; %s\n", number, to_string(wrong.error()).c_str());
  const std::string given_up = co_await limited();
  std::puts(given_up.c_str());
  Event shutdown;
  const std::string first = co_await first_of_two(shutdown);
  std::puts(first.c_str());
  const int sum = co_await many();
  const int ticks = co_await three_ticks();
  std::printf("sum %d, %d ticks\n", sum, ticks);
  const int total = co_await through_a_channel();
  std::printf("received %d\n", total);
  Semaphore permits(1);
  const Instant began = reactor.now();
  co_await all(one_at_a_time(permits), one_at_a_time(permits));
  std::printf("one after the other: %.0f ms\n", (reactor.now() - began).milliseconds());
  const std::string stopped = co_await stopped_from_elsewhere();
  std::puts(stopped.c_str());
  co_await start_and_abort();
  std::puts("aborted");
  const std::string line = co_await with_an_id();
  std::puts(line.c_str());
}

int main() {
  Sim sim;  // Loop in production
  Result<> done = sim.run(program());
  if (!done) std::puts(to_string(done.error()).c_str());
  return done ? 0 : 1;
}
