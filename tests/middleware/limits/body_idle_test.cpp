// BodyIdle and BodyDeadline: the time that a body may take.

#include <escapement/middleware/limits/body_idle.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/limits/body_deadline.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::pieces;

namespace {

Service streaming(Duration pause) {
  return [pause](Request) -> Task<Response> { co_return Response(200, pieces({"a", "b", "c"}, pause)); };
}

// Reads the body with `rest` between the reads: the bytes, then the error if there was one, and when.
std::string read(const Service& service, Duration rest = {}) {
  Sim sim;
  std::string told;
  auto body = [&]() -> Task<> {
    Response response = co_await service(get("http://h/"));
    for (;;) {
      Result<std::string> bytes = co_await response.body.read().result();
      if (!bytes) {
        CHECK(bytes.error().limit() == TimeLimit::body);
        told += ' ' + bytes.error().message();
        break;
      }
      if (bytes->empty()) break;
      told += *bytes;
      if (rest > Duration()) co_await sleep(rest);
    }
  };
  CHECK(sim.run(body()));
  return told + " @" + std::to_string(sim.elapsed() / Duration(1ms));
}

}  // namespace

TEST_CASE("body idle: each wait for bytes is limited, and a slow reader does not count") {
  CHECK(read(layered(BodyIdle{100ms}, streaming(100ms))) == "abc @400");
  CHECK(read(layered(BodyIdle{100ms}, streaming(101ms))) == " no bytes of the body within 100ms @100");
  CHECK(read(layered(BodyIdle{100ms}, streaming(50ms)), 10s) == "abc @30200");
  CHECK(read(layered(BodyIdle{Duration::max()}, streaming(1h))) == "abc @14400000");
}

TEST_CASE("body deadline: the whole body is limited, whoever is slow") {
  CHECK(read(layered(BodyDeadline{400ms}, streaming(100ms))) == "abc @400");
  CHECK(read(layered(BodyDeadline{350ms}, streaming(100ms))) == "abc no end of the body within 350ms @350");
  CHECK(read(layered(BodyDeadline{1s}, streaming(50ms)), 600ms) == "ab no end of the body within 1s @1300");
}

TEST_CASE("body deadline: bytes that are there count no more once the time has passed") {
  CHECK(read(layered(BodyDeadline{1s}, streaming(Duration())), 600ms) ==
        "ab no end of the body within 1s @1200");
}

TEST_CASE("body idle, body deadline: bytes in memory are left alone") {
  const Service memory = [](Request) -> Task<Response> { co_return Response(200, "text"); };
  CHECK(read(layered(BodyIdle{Duration()}, BodyDeadline{Duration()}, memory)) == "text @0");
}
