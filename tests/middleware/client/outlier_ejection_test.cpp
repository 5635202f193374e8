// OutlierEjection: Envoy's rules, and a random game against a plain second implementation of the first of
// them.

#include <escapement/middleware/client/outlier_ejection.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

using namespace escapement;
using namespace escapement::http;

namespace {

struct World {
  explicit World(std::size_t hosts, OutlierEjectionOptions options = OutlierEjectionOptions())
      : ejection(hosts, std::move(options)) {}
  void note(std::size_t host, int status, int times = 1) {
    const Response response(status);
    for (int i = 0; i < times; ++i) ejection.note(host, Attempt(response), now);
  }
  bool out(std::size_t host) const { return ejection.ejected(host, now); }

  Instant now = Instant() + 1s;
  OutlierEjection ejection;
};

}  // namespace

TEST_CASE("outlier ejection: failures in a row, and longer each time") {
  std::vector<std::int64_t> lengths;
  OutlierEjectionOptions options;
  options.ejection_max = 70s;
  World* at = nullptr;
  options.observer = [&](std::size_t host, Instant until) {
    CHECK(host == 1);
    lengths.push_back((until - at->now) / Duration(1s));
  };
  World world(3, options);
  at = &world;
  world.note(1, 500, 4);
  world.note(1, 200);
  world.note(1, 500, 4);
  CHECK_FALSE(world.out(1));
  world.note(1, 500);
  for (const Duration length : {Duration(30s), Duration(60s), Duration(70s)}) {
    world.note(1, 500, 9);  // calls from before
    world.now = world.now + length - 1ms;
    CHECK(world.out(1));
    world.now = world.now + 1ms;
    CHECK_FALSE(world.out(1));
    world.note(1, 500, 5);
    CHECK(world.out(1));
  }
  CHECK(lengths == std::vector<std::int64_t>{30, 60, 70, 70});
}

TEST_CASE("outlier ejection: good intervals make the next ejection shorter") {
  World world(2);
  world.note(0, 500, 5);
  world.now = world.now + 31s;
  world.note(0, 500, 5);
  world.now = world.now + 60s;
  CHECK_FALSE(world.out(0));
  world.now = world.now + 30s;  // some good intervals
  world.note(0, 200);
  world.note(0, 500, 5);
  world.now = world.now + 30s;
  CHECK_FALSE(world.out(0));
}

TEST_CASE("outlier ejection: at most a share, but one, and never all") {
  World ten(10);
  for (std::size_t host = 0; host < 10; ++host) ten.note(host, 500, 5);
  int out = 0;
  for (std::size_t host = 0; host < 10; ++host) out += ten.out(host) ? 1 : 0;
  CHECK(out == 1);
  CHECK(ten.out(0));
  OutlierEjectionOptions all;
  all.share_max = 1;
  World three(3, all);
  for (std::size_t host = 0; host < 3; ++host) three.note(host, 500, 5);
  CHECK(three.out(1));
  CHECK_FALSE(three.out(2));
  World one(1);
  one.note(0, 500, 50);
  CHECK_FALSE(one.out(0));
}

TEST_CASE("outlier ejection: a success rate far below the others'") {
  OutlierEjectionOptions options;
  options.consecutive_failures = 0;
  World world(10, options);
  const auto interval = [&](int bad) {
    for (std::size_t host = 0; host < 10; ++host) {
      world.note(host, 200, host == 4 ? 100 - bad : 99);
      world.note(host, 500, host == 4 ? bad : 1);
    }
    world.now = world.now + 10s;
    world.ejection.advance(world.now);
  };
  interval(1);
  CHECK_FALSE(world.out(4));
  interval(50);
  CHECK(world.out(4));
  CHECK_FALSE(world.out(3));
  // Too few upstreams, or requests, are not compared.
  World four(4, options);
  for (std::size_t host = 0; host < 4; ++host) four.note(host, host == 0 ? 500 : 200, 100);
  four.now = four.now + 10s;
  four.ejection.advance(four.now);
  CHECK_FALSE(four.out(0));
  World quiet(6, options);
  for (std::size_t host = 0; host < 6; ++host) quiet.note(host, host == 0 ? 500 : 200, 99);
  quiet.now = quiet.now + 10s;
  quiet.ejection.advance(quiet.now);
  CHECK_FALSE(quiet.out(0));
}

TEST_CASE("outlier ejection: the caller's faults do not count, nor do cancelled calls") {
  World world(2);
  world.note(0, 404, 9);
  world.note(0, 429, 9);
  const Error cancelled = Error::cancelled();
  const Error reset(Errc::reset, "x");
  for (int i = 0; i < 9; ++i) world.ejection.note(0, Attempt(cancelled), world.now);
  CHECK_FALSE(world.out(0));
  for (int i = 0; i < 5; ++i) world.ejection.note(0, Attempt(reset), world.now);
  CHECK(world.out(0));
}

TEST_CASE("outlier ejection: a random game against the plain rule") {
  Random random(7);
  OutlierEjectionOptions options;
  options.deviations = 0;
  options.share_max = 0.5;
  options.interval = std::chrono::hours(10'000);  // ejections never get shorter
  World world(6, options);
  struct Plain {
    int row = 0;
    int ejections = 0;
    Instant until;
  };
  std::vector<Plain> plain(6);
  for (int step = 0; step < 20'000; ++step) {
    world.now = world.now + Duration(1ms) * static_cast<std::int64_t>(random.up_to(2000));
    const std::size_t host = static_cast<std::size_t>(random.up_to(5));
    const bool bad = random.one_in(2);
    world.note(host, bad ? 503 : 200);
    Plain& at = plain[host];
    if (world.now >= at.until) {
      at.row = bad ? at.row + 1 : 0;
      int out = 0;
      for (const Plain& other : plain) out += world.now < other.until ? 1 : 0;
      if (at.row >= 5 && out < 3) {
        at.row = 0;
        at.until = world.now + std::min(Duration(30s) * ++at.ejections, Duration(300s));
      }
    }
    for (std::size_t i = 0; i < plain.size(); ++i) REQUIRE(world.out(i) == (world.now < plain[i].until));
  }
}

TEST_CASE("outlier ejection: an outcome that was cancelled ends no row of failures, and is none") {
  World world(2);
  world.note(0, 500, 4);
  const Error cancelled = Error::cancelled();
  world.ejection.note(0, Attempt(cancelled), world.now);
  CHECK_FALSE(world.out(0));
  world.note(0, 500);
  CHECK(world.out(0));
}
