// Generator: values in order, whether it waits or not; its end, failures and cancellation on either side.

#include <escapement/core/generator.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#ifdef __cpp_exceptions
#include <stdexcept>
#endif

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/alive.h"

using namespace escapement;
using escapement::test::Alive;

namespace {

static_assert(AsyncSequence<Generator<int>>);
static_assert(std::same_as<SequenceValue<Generator<std::string>>, std::string>);
static_assert(Operation<Next<int>>);
static_assert(!AsyncSequence<std::vector<int>>);

// Yields 0 .. count - 1, and sleeps before each of the first 32 values that `waits` has a bit for.
Generator<int> numbers(int count, unsigned waits = 0) {
  for (int i = 0; i < count; ++i) {
    if (i < 32 && ((waits >> i) & 1U) != 0) co_await sleep(1ms);
    co_yield i;
  }
}

Generator<int> guarded(int& alive, Duration pause) {
  Alive guard(alive);
  for (int i = 0;; ++i) {
    co_await sleep(pause);
    co_yield i;
  }
}

Task<int> late_failure() {
  co_await sleep(1ms);
  co_return Error(Errc::reset, "late");
}

// Yields 1 and then fails: at once, after a wait, or by a task that it awaits.
Generator<int> failing(int& alive, int how) {
  Alive guard(alive);
  co_yield 1;
  if (how == 1) co_await sleep(1ms);
  if (how == 2) {
    const int never = co_await late_failure();
    co_yield never;
  }
  co_await Error(Errc::reset, "early");
}

Task<std::string> joined(Generator<int> values) {
  std::string text;
  while (std::optional<int> value = co_await values.next()) text += std::to_string(*value) + ' ';
  std::optional<int> after = co_await values.next();
  text += after ? "more" : "end";
  co_return text;
}

}  // namespace

TEST_CASE("Generator: yields its values in order, wherever it waits, then its end for ever") {
  for (unsigned waits = 0; waits < 16; ++waits) {
    Sim sim;
    Result<std::string> text = sim.run(joined(numbers(4, waits)));
    CHECK(*text == "0 1 2 3 end");
    CHECK(sim.elapsed() == __builtin_popcount(waits) * Duration(1ms));
  }
  Sim sim;
  CHECK(*sim.run(joined(numbers(0))) == "end");
}

TEST_CASE("Generator: the body runs only when a value is asked for") {
  Sim sim;
  std::string log;
  auto body = [](std::string& log) -> Generator<int> {
    log += "a";
    co_yield 1;
    log += "b";
  };
  auto use = [&]() -> Task<> {
    Generator<int> values = body(log);
    log += "0";
    std::optional<int> first = co_await values.next();
    log += first ? "1" : "?";
    co_await sleep(1ms);
    log += "2";
    std::optional<int> second = co_await values.next();
    log += second ? "?" : "3";
    log += values.ended() ? "4" : "?";
  };
  CHECK(sim.run(use()));
  CHECK(log == "0a12b34");
}

TEST_CASE("Generator: values may be move-only, or converted") {
  Sim sim;
  auto pointers = []() -> Generator<std::unique_ptr<int>> {
    std::unique_ptr<int> one = std::make_unique<int>(1);
    co_yield std::move(one);
    co_yield nullptr;
    co_yield std::make_unique<int>(2);
  };
  auto texts = []() -> Generator<std::string> {
    co_yield "literal";
    const std::string kept = "kept";
    co_yield kept;
    co_yield kept + "!";
  };
  auto use = [&]() -> Task<> {
    std::vector<std::unique_ptr<int>> all_pointers = co_await collect(pointers(), 3);
    CHECK(all_pointers.size() == 3);
    CHECK(*all_pointers[0] == 1);
    CHECK(all_pointers[1] == nullptr);
    CHECK(*all_pointers[2] == 2);
    std::vector<std::string> all_texts = co_await collect(texts(), 10);
    CHECK(all_texts == std::vector<std::string>{"literal", "kept", "kept!"});
  };
  CHECK(sim.run(use()));
}

TEST_CASE("Generator: its failure fails next once, after the frame is gone") {
  for (const int how : {0, 1, 2}) {
    Sim sim;
    int alive = 0;
    auto inspect = [&]() -> Task<> {
      Generator<int> values = failing(alive, how);
      std::optional<int> first = co_await values.next();
      CHECK(first == 1);
      Result<std::optional<int>> second = co_await values.next().result();
      CHECK(alive == 0);
      REQUIRE(!second);
      CHECK(second.error() == Errc::reset);
      CHECK(second.error().message() == (how == 2 ? "late" : "early"));
      std::optional<int> third = co_await values.next();
      CHECK(!third);
    };
    CHECK(sim.run(inspect()));
    Result<std::string> text = sim.run(joined(failing(alive, how)));
    REQUIRE(!text);
    CHECK(text.error() == Errc::reset);
    CHECK(alive == 0);
    // The generator lives elsewhere than the task that its failure fails.
    Generator<int> outside = failing(alive, how);
    auto read_two = [](Generator<int>& values) -> Task<int> {
      std::optional<int> first = co_await values.next();
      std::optional<int> second = co_await values.next();
      co_return *first + *second;
    };
    Result<int> sum = sim.run(read_two(outside));
    REQUIRE(!sum);
    CHECK(alive == 0);
    CHECK(outside.ended());
  }
}

#ifdef __cpp_exceptions
TEST_CASE("Generator: an exception in its body, or of a value's constructor, is its failure") {
  Sim sim;
  struct Thrower {
    explicit Thrower(int) {}
    Thrower(const Thrower&) { throw std::runtime_error("copied"); }
  };
  auto throws = []() -> Generator<int> {
    co_yield 1;
    throw std::runtime_error("boo");
  };
  auto copies = []() -> Generator<Thrower> {
    const Thrower one(1);
    co_yield one;
  };
  Result<std::string> text = sim.run(joined(throws()));
  REQUIRE(!text);
  CHECK(text.error().message() == "boo");
  auto use = [&]() -> Task<> {
    Generator<Thrower> values = copies();
    Result<std::optional<Thrower>> first = co_await values.next().result();
    CHECK(first.error().message() == "copied");
  };
  CHECK(sim.run(use()));
}
#endif

TEST_CASE("Generator: destroying it cancels its body, wherever that is") {
  Sim sim;
  int alive = 0;
  {
    Generator<int> never_started = guarded(alive, 1ms);
  }
  CHECK(alive == 0);
  auto use = [&](Duration limit) -> Task<> {
    Generator<int> values = guarded(alive, 10ms);
    std::optional<int> first = co_await values.next();
    CHECK(first == 0);
    CHECK(alive == 1);
    if (limit > Duration()) co_await with_timeout(limit, values.next());
  };
  CHECK(sim.run(use(Duration())));  // suspended at its co_yield
  CHECK(alive == 0);
  Result<> limited = sim.run(use(1ms));  // asleep
  REQUIRE(!limited);
  CHECK(limited.error() == Errc::timed_out);
  CHECK(alive == 0);
  CHECK(sim.elapsed() == 21ms);
}

TEST_CASE("Generator: a next that is cancelled loses no value") {
  Sim sim;
  int alive = 0;
  auto use = [&]() -> Task<> {
    Generator<int> values = guarded(alive, 10ms);
    for (int i = 0; i < 3; ++i) {
      Result<std::optional<int>> early = co_await with_timeout(1ms, values.next()).result();
      CHECK(early.error() == Errc::timed_out);
      if (i == 1) co_await sleep(1s);  // the body goes on to its co_yield, and no further
      std::optional<int> value = co_await values.next();
      CHECK(value == i);
    }
  };
  CHECK(sim.run(use()));
  CHECK(sim.elapsed() == 1s + 10ms + 1ms + 10ms);
  CHECK(alive == 0);
}

TEST_CASE("Generator: a consumer that was woken and is destroyed before it runs leaves the value") {
  Sim sim;
  Event go;
  auto body = [](Event& go) -> Generator<int> {
    co_await go.wait();
    co_yield 7;
  };
  Generator<int> values = body(go);
  Scope scope(sim.reactor());
  int seen = 0;
  auto read = [&]() -> Task<> {
    std::optional<int> value = co_await values.next();
    seen = value.value_or(-1);
  };
  scope.spawn(read());
  sim.settle();
  // The generator runs first and makes the consumer ready, whose place another one takes.
  struct Canceller final : Runnable {
    explicit Canceller(Scope& s) : scope(s) {}
    void run() override { scope.cancel(); }
    Scope& scope;
  } canceller(scope);
  SECTION("woken") {
    auto yields = [](Event& go, Canceller& canceller) -> Generator<int> {
      co_await go.wait();
      Reactor& reactor = co_await this_reactor;
      reactor.ready(canceller);
      co_yield 7;
    };
    scope.cancel();
    values = yields(go, canceller);
    scope.spawn(read());
    sim.settle();
    go.set();
    sim.settle();
    CHECK(seen == 7);  // the continuation runs before what is merely ready
  }
  SECTION("while it waits") {
    scope.cancel();
    go.set();
    sim.settle();
    CHECK(seen == 0);
    scope.spawn(read());
    sim.settle();
    CHECK(seen == 7);
  }
}

TEST_CASE("Generator: destroyed or replaced while a task waits for it, that task fails with cancelled") {
  Sim sim;
  int alive = 0;
  std::optional<Generator<int>> values = guarded(alive, 10ms);
  Scope scope(sim.reactor());
  std::string log;
  const bool propagate = GENERATE_COPY(false, true);
  auto read = [&]() -> Task<> {
    if (propagate) {
      std::optional<int> value = co_await values->next();
      log += value ? "?" : "!";
      co_return;
    }
    Result<std::optional<int>> value = co_await values->next().result();
    log += value ? "?" : name(value.error().code());
  };
  auto guard = [&]() -> Task<> {
    Result<> result = co_await read().result();
    if (!result) log += name(result.error().code());
  };
  scope.spawn(guard());
  sim.settle();
  values.reset();
  CHECK(alive == 0);
  sim.settle();
  CHECK(log == "cancelled");
}

TEST_CASE("Generator: may be moved while a task waits for its next value") {
  Sim sim;
  int alive = 0;
  Generator<int> values = guarded(alive, 10ms);
  Scope scope(sim.reactor());
  std::optional<int> seen;
  auto read = [&]() -> Task<> { seen = co_await values.next(); };
  scope.spawn(read());
  sim.settle();
  std::optional<Generator<int>> moved(std::move(values));
  sim.advance(10ms);
  CHECK(seen == 0);
  CHECK(alive == 1);
  moved.reset();
  CHECK(alive == 0);
}

TEST_CASE("Generator: a failure that no next takes is reported, a held one is taken") {
  Sim sim;
  std::vector<std::string> reported;
  sim.reactor().on_unhandled_failure([&](const Error& error) { reported.push_back(error.message()); });
  int alive = 0;
  const bool taken = GENERATE(false, true);
  auto use = [&]() -> Task<> {
    Generator<int> values = failing(alive, 1);
    std::optional<int> first = co_await values.next();
    CHECK(first == 1);
    Result<std::optional<int>> early = co_await with_timeout(Duration(), values.next()).result();
    CHECK(early.error() == Errc::timed_out);
    co_await sleep(1s);
    CHECK(reported.empty());
    if (taken) {
      Result<std::optional<int>> second = co_await values.next().result();
      CHECK(second.error().message() == "early");
    }
  };
  CHECK(sim.run(use()));
  CHECK(alive == 0);
  CHECK(reported == (taken ? std::vector<std::string>() : std::vector<std::string>{"early"}));
}

TEST_CASE("Generator: generators of generators, and a million values without a deep stack") {
  Sim sim;
  auto doubled = [](Generator<int> values) -> Generator<int> {
    while (std::optional<int> value = co_await values.next()) {
      co_yield *value;
      co_yield *value;
    }
  };
  CHECK(*sim.run(joined(doubled(doubled(numbers(2, 3))))) == "0 0 0 0 1 1 1 1 end");
  auto sum = [](Generator<int> values) -> Task<std::int64_t> {
    std::int64_t total = 0;
    while (std::optional<int> value = co_await values.next()) total += *value;
    co_return total;
  };
  CHECK(*sim.run(sum(numbers(1'000'000))) == 499'999'500'000);
  auto pauses = []() -> Generator<int> {
    for (int i = 0; i < 100'000; ++i) {
      co_await yield();
      co_yield 1;
    }
  };
  CHECK(*sim.run(sum(pauses())) == 100'000);
}

TEST_CASE("Generator: next is an operation of all, race and select") {
  Sim sim;
  auto use = [&]() -> Task<> {
    Generator<int> fast = numbers(2, 1);
    Generator<int> slow = numbers(2, 2);
    auto [a, b] = co_await all(fast.next(), slow.next());
    CHECK(a == 0);
    CHECK(b == 0);
    std::variant<std::optional<int>, std::monostate> first = co_await select(slow.next(), sleep(10us));
    CHECK(first.index() == 1);
    std::optional<int> later = co_await slow.next();
    CHECK(later == 1);
  };
  CHECK(sim.run(use()));
}

TEST_CASE("collect: a limit of values, exactly; a sequence that stays with its owner") {
  Sim sim;
  auto use = [&]() -> Task<> {
    std::vector<int> all = co_await collect(numbers(3, 2), 3);
    CHECK(all == std::vector<int>{0, 1, 2});
    Result<std::vector<int>> more = co_await collect(numbers(4), 3).result();
    REQUIRE(!more);
    CHECK(more.error() == Errc::limit_exceeded);
    CHECK(more.error().message() == "a sequence of more than 3 values");
    std::vector<int> none = co_await collect(numbers(0), 0);
    CHECK(none.empty());
    Generator<int> kept = numbers(5);
    Result<std::vector<int>> stopped = co_await collect(kept, 1).result();
    CHECK(!stopped);
    std::optional<int> rest = co_await kept.next();
    CHECK(rest == 2);
  };
  CHECK(sim.run(use()));
}
