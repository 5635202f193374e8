// CancelSource, CancelToken and with_cancel.

#include <escapement/core/cancel_token.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

Error quota() { return Error(Errc::limit_exceeded, "the quota is used up"); }

// Adds its name to a log when it is destroyed.
struct Grave {
  Grave(std::string& log, char name) : log(&log), name(name) {}
  Grave(const Grave&) = delete;
  ~Grave() { *log += name; }
  std::string* log;
  char name;
};

Task<int> buried(std::string& log, char name, Duration length) {
  Grave grave(log, name);
  co_await sleep(length);
  co_return 7;
}

Task<> note_when_cancelled(CancelToken token, std::string& log, char name) {
  co_await token.wait();
  log += name;
}

Task<> cancel_at(CancelSource& source, Duration after) {
  co_await sleep(after);
  source.cancel(quota());
}

}  // namespace

TEST_CASE("CancelToken: of no source, or of one that is gone, it is never cancelled") {
  Sim sim;
  const CancelToken none;
  CHECK_FALSE(none.cancelled());
  CancelToken orphan;
  {
    CancelSource source;
    orphan = source.token();
  }
  CHECK_FALSE(orphan.cancelled());
  CHECK(sim.run(with_timeout(1s, none.wait())).error() == Errc::timed_out);
  CHECK(sim.run(with_timeout(1s, orphan.wait())).error() == Errc::timed_out);
  std::string log;
  CHECK(*sim.run(with_cancel(none, buried(log, 'a', 1ms))) == 7);
  CancelSource linked_to_none{none};
  linked_to_none.cancel();
  CHECK(linked_to_none.cancelled());
}

TEST_CASE("CancelSource: the first reason counts, for all copies of the token") {
  CancelSource source;
  const CancelToken first = source.token();
  const CancelToken copy = first;
  CHECK_FALSE(source.cancelled());
  source.cancel(quota());
  source.cancel(Error(Errc::reset));
  source.cancel();
  CHECK(source.cancelled());
  for (const CancelToken& token : {first, copy, source.token()}) {
    CHECK(token.cancelled());
    CHECK(to_string(token.reason()) == to_string(quota()));
  }
  CancelSource plain;
  plain.cancel();
  CHECK(to_string(plain.token().reason()) == "cancelled");
}

TEST_CASE("CancelToken: wait returns at once, or when it is cancelled, in the order of waiting") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  CancelSource source;
  for (const char name : {'a', 'b', 'c'}) scope.spawn(note_when_cancelled(source.token(), log, name));
  JoinHandle<void> gone = scope.spawn_joinable(note_when_cancelled(source.token(), log, 'x'));
  sim.settle();
  gone.cancel();
  source.cancel();
  CHECK(log.empty());  // nothing runs inside cancel
  sim.settle();
  CHECK(log == "abc");
  CHECK(sim.run(source.token().wait()));
  CHECK(scope.empty());
}

TEST_CASE("CancelToken: the wait outlives token and source, and works when the source is cancelled last") {
  Sim sim;
  Scope scope(sim.reactor());
  std::string log;
  std::optional<CancelSource> source(std::in_place);
  CancelSource moved = std::move(*source);
  scope.spawn(note_when_cancelled(moved.token(), log, 'a'));
  source.reset();
  sim.settle();
  {
    CancelSource last = std::move(moved);
    last.cancel();
  }
  sim.settle();
  CHECK(log == "a");
}

TEST_CASE("with_cancel: fails with the reason once the task is gone") {
  Sim sim;
  std::string log;
  CancelSource source;
  auto body = [](CancelSource& source, std::string& log) -> Task<> {
    Result<int> outcome = co_await with_cancel(source.token(), buried(log, 'a', 1h)).result();
    log += '|';
    const Error error = outcome.error();
    CHECK(error == Errc::cancelled);
    CHECK(to_string(error) == "cancelled: limit_exceeded: the quota is used up");
    CHECK(*error.reason() == Errc::limit_exceeded);
  };
  CHECK(sim.run(all(body(source, log), cancel_at(source, 5ms))));
  CHECK(log == "a|");
  CHECK(sim.elapsed() == 5ms);
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("with_cancel: without a reason; the task's value, and its failure") {
  Sim sim;
  std::string log;
  CancelSource source;
  CHECK(*sim.run(with_cancel(source.token(), buried(log, 'a', 1ms))) == 7);
  CHECK(sim.run(with_cancel(source.token(), sleep(1ms))));
  const std::string text = "captured, in memory of its own, by the function";
  CHECK(*sim.run(with_cancel(source.token(), [text]() -> Task<std::string> {
    co_await sleep(1ms);
    co_return text;
  })) == text);
  auto failing = []() -> Task<> {
    co_await sleep(1ms);
    co_await Error(Errc::reset, "on purpose");
  };
  CHECK(sim.run(with_cancel(source.token(), failing())).error() == Errc::reset);
  auto stop = [&]() -> Task<> {
    co_await sleep(1ms);
    source.cancel();
  };
  Result<std::tuple<int, std::monostate>> outcome =
      sim.run(all(with_cancel(source.token(), buried(log, 'b', 1h)), stop()));
  CHECK(to_string(outcome.error()) == "cancelled");
  CHECK_FALSE(outcome.error().reason());
}

TEST_CASE("with_cancel: a token that is cancelled already starts nothing") {
  Sim sim;
  CancelSource source;
  source.cancel(quota());
  bool started = false;
  auto witness = std::make_shared<int>(0);
  auto body = [](std::shared_ptr<int> witness, bool& started) -> Task<> {
    started = true;
    CHECK(witness != nullptr);
    co_return;
  };
  Result<> outcome = sim.run(with_cancel(source.token(), body(witness, started)));
  CHECK(*outcome.error().reason() == Errc::limit_exceeded);
  CHECK_FALSE(started);
  CHECK(witness.use_count() == 1);
}

TEST_CASE(
    "with_cancel: a task that finishes in the same turn wins, and so does one that cancels itself and ends") {
  Sim sim;
  std::string log;
  {
    CancelSource source;
    auto outcome = sim.run(all(cancel_at(source, 5ms), with_cancel(source.token(), buried(log, 'a', 5ms))));
    CHECK(std::get<1>(*outcome) == 7);
  }
  CancelSource source;
  auto cancels = [&]() -> Task<int> {
    source.cancel();
    co_return 3;
  };
  CHECK(*sim.run(with_cancel(source.token(), cancels())) == 3);
  CancelSource another;
  auto cancels_and_waits = [&]() -> Task<int> {
    Grave grave(log, 'w');
    another.cancel(quota());
    co_await sleep(1h);
    co_return 3;
  };
  log.clear();
  Result<int> outcome = sim.run(with_cancel(another.token(), cancels_and_waits()));
  CHECK(*outcome.error().reason() == Errc::limit_exceeded);
  CHECK(log == "w");
}

TEST_CASE("with_cancel: the destructors of what it cancels may cancel again") {
  Sim sim;
  struct Canceller {
    explicit Canceller(CancelSource& s) : source(&s) {}
    Canceller(const Canceller&) = delete;
    ~Canceller() { source->cancel(Error(Errc::reset)); }
    CancelSource* source;
  };
  CancelSource source;
  auto body = [&]() -> Task<> {
    Canceller canceller(source);
    co_await sleep(1h);
  };
  auto outcome = sim.run(all(cancel_at(source, 1ms), with_cancel(source.token(), body())));
  CHECK(*outcome.error().reason() == Errc::limit_exceeded);
}

TEST_CASE("with_cancel: destroyed while it waits") {
  Sim sim;
  std::string log;
  CancelSource source;
  CHECK(sim.run(with_timeout(1ms, with_cancel(source.token(), buried(log, 'a', 1h)))).error() ==
        Errc::timed_out);
  CHECK(log == "a");
  source.cancel();
  sim.settle();
}

TEST_CASE("CancelSource: linked ones are cancelled with their parent, not the other way round") {
  Sim sim;
  CancelSource parent;
  CancelSource child{parent.token()};
  CancelSource sibling{parent.token()};
  CancelSource grandchild{child.token()};
  sibling.cancel(Error(Errc::reset));
  CHECK_FALSE(parent.cancelled());
  CHECK_FALSE(child.cancelled());
  std::string log;
  Scope scope(sim.reactor());
  scope.spawn(note_when_cancelled(grandchild.token(), log, 'g'));
  scope.spawn(note_when_cancelled(parent.token(), log, 'p'));
  sim.settle();
  parent.cancel(quota());
  sim.settle();
  CHECK(log == "pg");
  CHECK(grandchild.token().reason() == Errc::limit_exceeded);
  CHECK(sibling.token().reason() == Errc::reset);
  const CancelSource late{parent.token()};
  CHECK(late.cancelled());
  CHECK(late.token().reason() == Errc::limit_exceeded);
}

TEST_CASE("CancelSource: a link works when the sources in between are gone, and a linked one may go first") {
  CancelSource root;
  std::optional<CancelSource> middle(std::in_place, root.token());
  CancelSource leaf{middle->token()};
  {
    const CancelSource gone{root.token()};
  }
  middle.reset();
  root.cancel(quota());
  CHECK(leaf.token().reason() == Errc::limit_exceeded);
}

TEST_CASE("CancelSource: cancelling a long chain does not recurse") {
  std::vector<CancelSource> chain;
  chain.emplace_back();
  for (int i = 0; i < 100'000; ++i) chain.emplace_back(chain.back().token());
  chain.front().cancel(quota());
  CHECK(chain.back().token().reason() == Errc::limit_exceeded);
  while (!chain.empty()) chain.pop_back();  // from the leaf: no recursion
}

TEST_CASE("CancelSource: random trees, against marks that walk down from the cancelled one") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    std::vector<CancelSource> sources;
    std::vector<int> parents;
    std::vector<int> reasons;  // -1: not cancelled
    for (int step = 0; step < 200; ++step) {
      if (sources.empty() || random.next() % 4 != 0) {
        const int parent =
            sources.empty() || random.next() % 8 == 0 ? -1 : static_cast<int>(random.next() % sources.size());
        if (parent < 0) {
          sources.emplace_back();
        } else {
          sources.emplace_back(sources[static_cast<std::size_t>(parent)].token());
        }
        parents.push_back(parent);
        reasons.push_back(parent < 0 ? -1 : reasons[static_cast<std::size_t>(parent)]);
      } else if (random.next() % 4 == 0) {
        const std::size_t which = random.next() % sources.size();
        sources[which].cancel(Error(Errc::reset, std::to_string(step)));
        std::vector<bool> below(sources.size(), false);
        below[which] = reasons[which] < 0;
        for (std::size_t i = which; i < sources.size(); ++i) {
          if (parents[i] >= 0 && below[static_cast<std::size_t>(parents[i])] && reasons[i] < 0)
            below[i] = true;
          if (below[i]) reasons[i] = step;
        }
      }
      for (std::size_t i = 0; i < sources.size(); ++i) {
        const CancelToken token = sources[i].token();
        REQUIRE(token.cancelled() == (reasons[i] >= 0));
        if (token.cancelled()) REQUIRE(token.reason().message() == std::to_string(reasons[i]));
      }
    }
  }
}
