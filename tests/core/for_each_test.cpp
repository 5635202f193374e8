// for_each: how many at once, in which order, and what a failure leaves behind.

#include <escapement/core/for_each.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <queue>
#include <ranges>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/generator.h>
#include <escapement/core/join_set.h>
#include <escapement/core/random.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

// Adds its name to a log when it is destroyed.
struct Grave {
  Grave(std::string& log, char name) : log(&log), name(name) {}
  Grave(const Grave&) = delete;
  ~Grave() { *log += name; }
  std::string* log;
  char name;
};

Task<> buried(std::string& log, char name, Duration length) {
  Grave grave(log, name);
  co_await sleep(length);
}

// Counts from 0 to `end`, and how many numbers it was asked for. An input range.
struct Numbers {
  struct iterator {
    using difference_type = std::ptrdiff_t;
    using value_type = int;
    int operator*() const { return at; }
    iterator& operator++() {
      ++at;
      ++*asked;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return at == end; }
    int at;
    int end;
    int* asked;
  };
  iterator begin() {
    ++*asked;
    return {0, end_, asked};
  }
  std::default_sentinel_t end() const { return {}; }
  int end_;
  int* asked;
};
static_assert(std::ranges::input_range<Numbers> && !std::ranges::forward_range<Numbers>);

// An asynchronous sequence of numbers, one every `pause`, which may fail instead of ending.
struct Ticks {
  Task<std::optional<int>> next() {
    ++asked;
    co_await sleep(pause);
    if (at < end) co_return at++;
    if (fails) co_await Error(Errc::bad_message, "the sequence");
    co_return std::nullopt;
  }
  int end = 0;
  Duration pause;
  bool fails = false;
  int at = 0;
  int asked = 0;
};

struct Count {
  void begin() { most = std::max(most, ++now); }
  void end() { --now; }
  int now = 0;
  int most = 0;
};

}  // namespace

TEST_CASE("for_each: runs at most so many at once, in order, and ends when all have ended") {
  Sim sim;
  const std::vector<int> items{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Count count;
  std::vector<int> seen;
  auto task = for_each(items, 3, [&](int item) -> Task<> {
    seen.push_back(item);
    count.begin();
    co_await sleep(10ms);
    count.end();
  });
  CHECK(seen.empty());  // lazy
  CHECK(sim.run(std::move(task)));
  CHECK(seen == items);
  CHECK(count.most == 3);
  CHECK(count.now == 0);
  CHECK(sim.elapsed() == 40ms);
}

TEST_CASE("for_each: starts each item when a plain simulation of so many workers would") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Sim sim;
    Random random(seed);
    const std::size_t limit = 1 + random.next() % 7;
    std::vector<Duration> lengths(random.next() % 100);
    for (Duration& length : lengths) length = Duration(1ms) * static_cast<std::int64_t>(random.next() % 20);

    std::priority_queue<Duration, std::vector<Duration>, std::greater<>> free_at;
    for (std::size_t i = 0; i < limit; ++i) free_at.push(Duration());
    std::vector<Duration> expected;
    Duration end;
    for (const Duration length : lengths) {
      expected.push_back(free_at.top());
      free_at.pop();
      free_at.push(expected.back() + length);
      end = std::max(end, expected.back() + length);
    }

    std::vector<Duration> started;
    CHECK(sim.run(for_each(lengths, limit, [&](Duration length) -> Task<> {
      started.push_back(sim.elapsed());
      co_await sleep(length);
    })));
    CHECK(started == expected);
    CHECK(sim.elapsed() == end);
  }
}

TEST_CASE("for_each: a limit of 0 is an error; the function is not called") {
  Sim sim;
  std::vector<int> items{1};
  auto never = [](int) -> Task<> {
    FAIL("called");
    co_return;
  };
  CHECK(sim.run(for_each(items, 0, never)).error() == Errc::invalid_argument);
  CHECK(sim.run(for_each(Ticks{}, 0, never)).error() == Errc::invalid_argument);
}

TEST_CASE("for_each: an empty range, one item, no limit") {
  Sim sim;
  int calls = 0;
  auto call = [&](int) -> Task<> {
    ++calls;
    co_await sleep(1ms);
  };
  CHECK(sim.run(for_each(std::vector<int>{}, 4, call)));
  CHECK(calls == 0);
  CHECK(sim.run(for_each(std::vector<int>{1}, 1, call)));
  CHECK(calls == 1);
  CHECK(sim.elapsed() == 1ms);
  CHECK(sim.run(for_each(std::views::iota(0, 1000), no_limit, call)));
  CHECK(calls == 1001);
  CHECK(sim.elapsed() == 2ms);
}

TEST_CASE("for_each: the first failure destroys the others, the youngest first, and no item follows") {
  Sim sim;
  std::string log;
  int asked = 0;
  auto body = [&](int item) -> Task<> {
    Grave grave(log, static_cast<char>('a' + item));
    co_await sleep(item == 1 ? Duration(5ms) : Duration(1h));
    co_await Error(Errc::reset, "item " + std::to_string(item));
  };
  auto run = [&]() -> Task<> {
    Result<> outcome = co_await for_each(Numbers{1000, &asked}, 4, body).result();
    log += '|';
    co_await std::move(outcome);
  };
  const Result<> outcome = sim.run(run());
  CHECK(outcome.error() == Errc::reset);
  CHECK(outcome.error().message() == "item 1");
  CHECK(log == "bdca|");
  CHECK(asked == 4);
  CHECK(sim.elapsed() == 5ms);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("for_each: a call that fails at once") {
  Sim sim;
  std::string log;
  auto body = [&](int item) -> Task<> {
    if (item == 2) co_await Error(Errc::not_found);
    co_await buried(log, static_cast<char>('a' + item), 1h);
  };
  CHECK(sim.run(for_each(std::views::iota(0, 9), 5, body)).error() == Errc::not_found);
  CHECK(log == "ba");
}

TEST_CASE("for_each: looks for an item only when it may start") {
  Sim sim;
  int asked = 0;
  int started = 0;
  auto task = for_each(Numbers{100, &asked}, 2, [&](int) -> Task<> {
    CHECK(asked == ++started);
    co_await sleep(1ms);
  });
  CHECK(asked == 0);
  CHECK(sim.run(std::move(task)));
  CHECK(started == 100);
  CHECK(asked == 101);  // and the end
}

TEST_CASE("for_each: ways to pass a range and to take its items") {
  Sim sim;
  int sum = 0;
  std::vector<int> own{1, 2, 3};
  CHECK(sim.run(for_each(own, 2, [](int& item) -> Task<> {
    co_await sleep(1ms);
    item *= 10;
  })));
  CHECK(own == std::vector<int>{10, 20, 30});

  std::vector<std::unique_ptr<int>> pointers;
  for (int i = 1; i <= 3; ++i) pointers.push_back(std::make_unique<int>(i));
  CHECK(sim.run(for_each(std::move(pointers), 2, [&](std::unique_ptr<int> item) -> Task<> {
    co_await sleep(1ms);
    sum += *item;
  })));
  CHECK(sum == 6);

  // Items that the range makes anew stay as long as their call.
  std::istringstream words("one two three");
  std::string text;
  CHECK(sim.run(for_each(std::views::istream<std::string>(words), 2, [&](const std::string& word) -> Task<> {
    co_await sleep(word == "one" ? 3ms : 1ms);
    text += word + " ";
  })));
  CHECK(text == "two three one ");

  text.clear();
  auto long_text = [](int i) { return std::string(40, static_cast<char>('a' + i)); };
  CHECK(sim.run(for_each(std::views::iota(0, 3) | std::views::transform(long_text), 3,
                         [&](const std::string& word) -> Task<> {
                           co_await sleep(1ms);
                           text += word.substr(39);
                         })));
  CHECK(text == "abc");

  int on = 0;
  CHECK(sim.run(for_each(std::vector<bool>{true, false, true}, 2, [&](bool bit) -> Task<> {
    co_await sleep(1ms);
    on += bit ? 1 : 0;
  })));
  CHECK(on == 2);
  CHECK(sim.run(for_each(own, 3, [](int item) { return sleep(Duration(1ms) * item); })));
  CHECK(sim.run(for_each(own, 3, [](int item) -> Task<int> { co_return item; })));
}

TEST_CASE("for_each: a view that was passed does not lose the items of its container") {
  Sim sim;
  const std::string text = "a text that needs memory of its own, so that moving shows";
  std::vector<std::string> words{text, text};
  std::size_t seen = 0;
  auto take = [&](std::string word) -> Task<> {
    seen += word.size();
    co_return;
  };
  CHECK(sim.run(for_each(std::views::all(words), 2, take)));
  CHECK(sim.run(for_each(words, 2, take)));
  CHECK(words == std::vector<std::string>{text, text});
  CHECK(seen == 4 * text.size());
}

TEST_CASE("for_each: calls that never wait let others run in between") {
  Sim sim;
  Scope scope(sim.reactor());
  int calls = 0;
  std::vector<int> seen;
  scope.spawn(for_each(std::views::iota(0, 100), 8, [&](int) -> Task<> {
    ++calls;
    co_return;
  }));
  scope.spawn([&]() -> Task<> {
    while (calls < 100) {
      seen.push_back(calls);
      co_await yield();
    }
  });
  CHECK(sim.run(scope.join()));
  CHECK(seen.size() >= 3);
  CHECK(seen.front() <= 32);
}

TEST_CASE("for_each: a hundred thousand items on a flat stack") {
  Sim sim;
  int left = 100'000;
  CHECK(sim.run(for_each(std::views::iota(0, left), 100, [&](int item) -> Task<> {
    if (item % 3 == 0) co_await yield();
    --left;
  })));
  CHECK(left == 0);
}

TEST_CASE("for_each: destroyed in the middle, it destroys its calls, the youngest first") {
  Sim sim;
  std::string log;
  auto body = [&](int item) { return buried(log, static_cast<char>('a' + item), 1h); };
  CHECK(sim.run(with_timeout(1ms, for_each(std::views::iota(0, 9), 3, body))).error() == Errc::timed_out);
  CHECK(log == "cba");
  CHECK(sim.timers().size() == 0);
}

#ifdef __cpp_exceptions
TEST_CASE("for_each: what the function or the range throws is its failure") {
  Sim sim;
  std::string log;
  auto throwing = [&](int item) -> Task<> {
    if (item == 2) throw std::runtime_error("thrown by the function");
    return buried(log, static_cast<char>('a' + item), 1h);
  };
  Result<> outcome = sim.run(for_each(std::views::iota(0, 9), 5, throwing));
  CHECK(outcome.error() == Errc::exception);
  CHECK(outcome.error().message() == "thrown by the function");
  CHECK(log == "ba");

  auto look = [](int item) {
    if (item == 1) throw std::runtime_error("thrown by the range");
    return item;
  };
  outcome = sim.run(for_each(std::views::iota(0, 9) | std::views::transform(look), 5,
                             [&](int) { return buried(log, 'c', 1h); }));
  CHECK(outcome.error().message() == "thrown by the range");
  CHECK(log == "bac");
}
#endif

// --- Asynchronous sequences

TEST_CASE("for_each: of a sequence, a value is asked for when a call may start") {
  Sim sim;
  Count count;
  std::vector<int> seen;
  Ticks ticks{.end = 6, .pause = 1ms};
  CHECK(sim.run(for_each(ticks, 2, [&](int item) -> Task<> {
    CHECK(ticks.asked == item + 1);
    seen.push_back(item);
    count.begin();
    co_await sleep(10ms);
    count.end();
  })));
  CHECK(seen == std::vector<int>{0, 1, 2, 3, 4, 5});
  CHECK(count.most == 2);
  CHECK(ticks.asked == 7);
  CHECK(sim.elapsed() == 34ms);  // starts at 1, 2, 12, 13, 23, 24
}

TEST_CASE("for_each: a sequence that was moved in, one that never waits, an empty one") {
  Sim sim;
  int sum = 0;
  auto add = [&](int item) -> Task<> {
    sum += item;
    co_return;
  };
  CHECK(sim.run(for_each(Ticks{.end = 1000}, 3, add)));
  CHECK(sum == 499'500);
  CHECK(sim.run(for_each(Ticks{}, 3, add)));
  CHECK(sum == 499'500);
}

TEST_CASE("for_each: a failing sequence cancels the calls; a failing call cancels the wait for a value") {
  Sim sim;
  std::string log;
  auto body = [&](int item) { return buried(log, static_cast<char>('a' + item), 1h); };
  Result<> outcome = sim.run(for_each(Ticks{.end = 2, .pause = 1ms, .fails = true}, 5, body));
  CHECK(outcome.error() == Errc::bad_message);
  CHECK(log == "ba");

  Ticks slow{.end = 2, .pause = 10ms};
  const Duration before = sim.elapsed();
  outcome = sim.run(for_each(slow, 5, [](int) -> Task<> {
    co_await sleep(5ms);
    co_await Error(Errc::reset);
  }));
  CHECK(outcome.error() == Errc::reset);
  CHECK(sim.elapsed() - before == 15ms);
  CHECK(slow.at == 1);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("for_each: over the outcomes of a JoinSet") {
  Sim sim;
  JoinSet<int> set(sim.reactor());
  for (int i = 1; i <= 4; ++i) {
    set.spawn([i]() -> Task<int> {
      co_await sleep(Duration(1ms) * i);
      co_return i;
    });
  }
  int sum = 0;
  CHECK(sim.run(for_each(set, 2, [&](Result<int> value) -> Task<> {
    sum += *value;
    co_return;
  })));
  CHECK(sum == 10);
}

TEST_CASE("for_each: over a Generator") {
  Sim sim;
  auto count = [](int end) -> Generator<int> {
    for (int i = 1; i <= end; ++i) {
      co_await sleep(1ms);
      co_yield i;
    }
    co_await Error(Errc::reset, "the generator");
  };
  int sum = 0;
  const Result<> outcome = sim.run(for_each(count(4), 2, [&](int value) -> Task<> {
    sum += value;
    co_await sleep(1ms);
  }));
  CHECK(to_string(outcome.error()) == "reset: the generator");
  CHECK(sum == 10);
}
