// The protocol cases against a server: each is sent with a canary behind it, whole, byte by byte and
// cut at random places, to a whole Server. Where the parser's own test looks at events, this one looks at
// what a peer sees and at what reached the service.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

#include "support/protocol_cases.h"
#include "support/raw_http.h"

using namespace escapement;

namespace {

// The result of one connection.
struct Outcome {
  std::string answers;    // the status of each, in order
  bool canary = false;    // it reached the service
  bool released = false;  // nothing of the connection is left
  bool operator==(const Outcome&) const = default;
};

http::ServerOptions options_for(const test::ProtocolCase& c) {
  http::ServerOptions options;
  if (!c.small_limits) return options;
  const http::ParserLimits small = test::small_limits();
  options.head_bytes_max = small.head_bytes_max;
  options.header_count_max = small.header_count_max;
  options.body_bytes_max = small.body_bytes_max;
  return options;
}

// Reads to the end, or until nothing came for so long that nothing will.
Task<> read_answers(Stream& stream, std::string& all) {
  std::vector<std::byte> room(4096);
  for (;;) {
    Result<std::size_t> count = co_await stream.read(room).result();
    if (!count || *count == 0) co_return;
    all += as_text(Bytes(room).first(*count));
  }
}

Task<> send_pieces(Stream& stream, std::string bytes, std::vector<std::size_t> cuts) {
  std::size_t begin = 0;
  cuts.push_back(bytes.size());
  for (const std::size_t cut : cuts) {
    Result<> sent =
        co_await stream.write(as_bytes(std::string_view(bytes).substr(begin, cut - begin))).result();
    if (!sent) co_return;
    begin = cut;
    co_await sleep(1ms);
  }
  Result<> ended = co_await stream.shutdown_write().result();
  (void)ended;
}

// The handler reads the body: what is wrong with it comes to light there.
Outcome converse(const test::ProtocolCase& c, std::vector<std::size_t> cuts) {
  Sim sim(Seed{3}, {.latency = 10us});
  Outcome outcome;
  auto handle = [](bool& canary, http::Request request) -> Task<http::Response> {
    canary = canary || request.url.path() == "/canary";
    std::string body = co_await request.body.text(1 * MiB);
    co_return http::Response(200, std::move(body));
  };
  http::Server server([&](http::Request request) { return handle(outcome.canary, std::move(request)); },
                      options_for(c));
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), "s:80"));
  sim.settle();
  std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
  std::string answers;
  scope.spawn(send_pieces(*stream, c.bytes, std::move(cuts)));
  scope.spawn(read_answers(*stream, answers));
  sim.advance(80s);
  outcome.answers = test::statuses(answers);
  outcome.released = server.statistics().open == 0;
  scope.cancel();
  return outcome;
}

std::vector<std::size_t> random_cuts(std::size_t size, Random& random) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < size; ++i) {
    if (random.one_in(7)) cuts.push_back(i);
  }
  return cuts;
}

void check_every_way(const test::ProtocolCase& c, const Outcome& expected) {
  CAPTURE(c.what);
  const auto check = [&](std::vector<std::size_t> cuts) {
    const Outcome outcome = converse(c, std::move(cuts));
    CHECK(outcome.answers == expected.answers);
    CHECK(outcome.canary == expected.canary);
    CHECK(outcome.released);
  };
  check({});
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < c.bytes.size(); ++i) every.push_back(i);
  check(every);
  Random random(9);
  for (int round = 0; round < 5; ++round) check(random_cuts(c.bytes.size(), random));
}

}  // namespace

TEST_CASE(
    "server: what is refused is answered once, its connection closed, and nothing behind it is served") {
  int refused = 0;
  for (test::ProtocolCase c : test::read_protocol_cases(test::protocol_cases_text("refused_requests"))) {
    if (c.expected.ends_with("| ")) continue;  // well-formed, to the limit
    if (!c.cut) c.bytes += "GET /canary HTTP/1.1\r\nHost: h\r\n\r\n";
    ++refused;
    // The parser's own words end in the status: "400", or "POST / | abc| 400".
    const std::string status = c.expected.substr(c.expected.size() - 3) + ' ';
    check_every_way(c, {status, false, true});
  }
  CHECK(refused > 100);
}

TEST_CASE("server: what is well-formed is answered, and so is what is behind it") {
  for (test::ProtocolCase c : test::read_protocol_cases(test::protocol_cases_text("requests"))) {
    if (c.cut) continue;
    c.bytes += "GET /canary HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    CAPTURE(c.what, c.expected);
    const Outcome whole = converse(c, {});
    CHECK(whole.answers.ends_with("200 "));
    check_every_way(c, whole);
  }
}
