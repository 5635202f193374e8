// throttle and debounce in simulated time: exact instants, nothing lost, and a plain model of each.

#include <escapement/timers/pace.h>

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/generator.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

// The values 0, 1, 2, ... each after a pause in milliseconds; then, after the last pause, the end or a
// failure.
Generator<int> after_pauses(std::vector<int> pauses, bool fails = false) {
  for (std::size_t i = 0; i < pauses.size(); ++i) {
    co_await sleep(pauses[i] * Duration(1ms));
    if (i + 1 < pauses.size()) co_yield static_cast<int>(i);
  }
  if (fails) co_await Error(Errc::reset, "broken");
}

// "0@5 2@17 end@20": each value, and the millisecond at which it came.
template <class S>
Task<std::string> timed(S sequence, Duration work = Duration()) {
  Reactor& reactor = co_await this_reactor;
  const Instant begin = reactor.precise_now();
  std::string log;
  for (;;) {
    Result<std::optional<int>> value = co_await sequence.next().result();
    const std::string at = '@' + std::to_string((reactor.precise_now() - begin).count() / 1'000'000);
    if (!value) co_return log + value.error().message() + at;
    if (!*value) co_return log + "end" + at;
    log += std::to_string(**value) + at + ' ';
    if (work > Duration()) co_await sleep(work);
  }
}

template <class S>
std::string run(S sequence, Duration work = Duration()) {
  Sim sim;
  return *sim.run(timed(std::move(sequence), work));
}

static_assert(AsyncSequence<Throttle<Generator<int>>>);
static_assert(AsyncSequence<Debounce<Generator<int>&>>);

// One instant after another.
std::string throttle_model(const std::vector<int>& pauses, int interval) {
  std::string log;
  int source = 0;  // when its next value comes
  int open = 0;
  for (std::size_t i = 0; i < pauses.size(); ++i) {
    source += pauses[i];
    if (i + 1 == pauses.size()) return log + "end@" + std::to_string(source);
    const int at = source > open ? source : open;
    log += std::to_string(i) + '@' + std::to_string(at) + ' ';
    source = at;
    open = at + interval;
  }
  return log;
}

std::string debounce_model(const std::vector<int>& pauses, int quiet) {
  std::string log;
  int now = pauses[0];
  for (std::size_t i = 0; i + 1 < pauses.size(); ++i) {
    const bool last = i + 2 == pauses.size();
    if (pauses[i + 1] > quiet || last) {
      const int at = now + (pauses[i + 1] > quiet ? quiet : pauses[i + 1]);
      log += std::to_string(i) + '@' + std::to_string(at) + ' ';
    }
    now += pauses[i + 1];
  }
  return log + "end@" + std::to_string(now);
}

}  // namespace

TEST_CASE("throttle: the first value at once, the others an interval apart, none lost") {
  CHECK(run(throttle(after_pauses({0, 0, 0, 0}), 10ms)) == "0@0 1@10 2@20 end@20");
  CHECK(run(throttle(after_pauses({5, 30, 1, 100}), 10ms)) == "0@5 1@35 2@45 end@145");
  CHECK(run(throttle(after_pauses({0, 0, 0, 0}), Duration())) == "0@0 1@0 2@0 end@0");
  CHECK(run(throttle(after_pauses({0, 0, 3}, true), 10ms)) == "0@0 1@10 broken@13");
  // The work between two values counts.
  CHECK(run(throttle(after_pauses({0, 0, 0, 0}), 10ms), 7ms) == "0@0 1@10 2@20 end@27");
  CHECK(run(throttle(after_pauses({0, 0, 0, 0}), 10ms), 15ms) == "0@0 1@15 2@30 end@45");
}

TEST_CASE(
    "throttle: a next that is cancelled loses no value, and the interval counts from the last one taken") {
  Sim sim;
  auto use = []() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Throttle<Generator<int>> values = throttle(after_pauses({0, 0, 0, 0}), 10ms);
    std::optional<int> first = co_await values.next();
    CHECK(first == 0);
    for (int i = 0; i < 3; ++i) {
      Result<std::optional<int>> early = co_await with_timeout(1ms, values.next()).result();
      CHECK(!early);
    }
    co_await sleep(1s);
    std::optional<int> second = co_await values.next();
    CHECK(second == 1);
    const Instant at = reactor.precise_now();
    std::optional<int> third = co_await values.next();
    CHECK(third == 2);
    CHECK(reactor.precise_now() - at == 10ms);
  };
  CHECK(sim.run(use()));
}

TEST_CASE("throttle: agrees with its model") {
  for (int code = 0; code < 4 * 4 * 4 * 4; ++code) {
    const std::vector<int> choices{0, 3, 10, 11};
    std::vector<int> pauses;
    for (int rest = code, i = 0; i < 4; ++i, rest /= 4) {
      pauses.push_back(choices[static_cast<std::size_t>(rest % 4)]);
    }
    CHECK(run(throttle(after_pauses(pauses), 10ms)) == throttle_model(pauses, 10));
  }
}

TEST_CASE("debounce: only a value that silence follows, and the last one at the end") {
  CHECK(run(debounce(after_pauses({0, 3, 3, 50, 20}), 10ms)) == "2@16 3@66 end@76");
  CHECK(run(debounce(after_pauses({5, 3}), 10ms)) == "0@8 end@8");
  CHECK(run(debounce(after_pauses({5}), 10ms)) == "end@5");
  CHECK(run(debounce(after_pauses({5, 3}, true), 10ms)) == "0@8 broken@8");
  CHECK(run(debounce(after_pauses({5, 30}, true), 10ms)) == "0@15 broken@35");
  CHECK(run(debounce(after_pauses({5}, true), 10ms)) == "broken@5");
  CHECK(run(debounce(after_pauses({0, 0, 0, 50}), Duration())) == "2@0 end@50");
}

TEST_CASE("debounce: agrees with its model") {
  for (int code = 0; code < 4 * 4 * 4 * 4; ++code) {
    const std::vector<int> choices{1, 3, 9, 11};
    std::vector<int> pauses;
    for (int rest = code, i = 0; i < 4; ++i, rest /= 4) {
      pauses.push_back(choices[static_cast<std::size_t>(rest % 4)]);
    }
    CHECK(run(debounce(after_pauses(pauses), 10ms)) == debounce_model(pauses, 10));
  }
}

TEST_CASE("debounce: a next that is cancelled loses no value; a source that stays with its owner") {
  Sim sim;
  auto use = []() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Generator<int> source = after_pauses({5, 100, 100});
    Debounce<Generator<int>&> values = debounce(source, 20ms);
    const Instant begin = reactor.precise_now();
    for (int i = 0; i < 3; ++i) {
      Result<std::optional<int>> early = co_await with_timeout(3ms, values.next()).result();
      CHECK(!early);
    }
    std::optional<int> first = co_await values.next();
    CHECK(first == 0);
    CHECK(reactor.precise_now() - begin >= 25ms);
    CHECK(reactor.precise_now() - begin <= 26ms);
    std::optional<int> second = co_await source.next();
    CHECK(second == 1);
  };
  CHECK(sim.run(use()));
}

TEST_CASE("debounce: a failure of the source that nobody takes is reported") {
  Sim sim;
  std::vector<std::string> reported;
  sim.reactor().on_unhandled_failure([&](const Error& error) { reported.push_back(error.message()); });
  const bool taken = GENERATE(false, true);
  auto use = [&]() -> Task<> {
    auto values = debounce(after_pauses({5, 3}, true), 10ms);
    std::optional<int> first = co_await values.next();
    CHECK(first == 0);
    auto moved = std::move(values);
    if (!taken) co_return;
    Result<std::optional<int>> failure = co_await moved.next().result();
    CHECK(!failure);
    std::optional<int> end = co_await moved.next();
    CHECK(!end);
  };
  CHECK(sim.run(use()));
  CHECK(reported == (taken ? std::vector<std::string>() : std::vector<std::string>{"broken"}));
}
