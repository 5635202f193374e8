// Every vector of tests/vectors/behaviour.txt.

#include "support/vectors.h"

#include <catch2/catch_test_macros.hpp>

using namespace escapement::test;

TEST_CASE("vectors: each row of the client's behaviour holds") {
  const std::vector<Vector> vectors = read_vectors(vectors_text());
  CHECK(vectors.size() > 150);
  for (const Vector& vector : vectors) {
    if (on_wasm() && !vector.not_on_wasm.empty()) {
      UNSCOPED_INFO("skipped: " << vector.id << ": " << vector.not_on_wasm);
      continue;
    }
    INFO(vector.id << "\n  stack: " << vector.stack << "\n  peer: " << vector.peer
                   << "\n  expected: " << vector.expected);
    CHECK(play(vector) == "");
  }
}

TEST_CASE("vectors: what does not hold is found in each kind of them") {
  const std::vector<Vector> right{
      {"client", "client", "GET then at=20 GET", "200; idle 10 close / 200",
       "0 #1, 20 #2 = 200 leaving 1 idle", ""},
      {"addresses", "addresses", "connect", "A 0 4a; 4a ok 5", "0 4a = 4a at 5", ""},
      {"server", "server idle_timeout=75s", "a client", "GET", "0 #1 200 = closed at 75000", ""},
      {"calls", "retry", "2* GET then cancel=5 GET", "200; 200; hang",
       "0, 0, 0 = 200 then 200 then cancelled at 5", ""}};
  for (const Vector& vector : right) {
    CAPTURE(vector.id);
    CHECK(play(vector) == "");
    Vector wrong = vector;
    wrong.expected.replace(wrong.expected.find("= "), 4, "= 599 ");
    CHECK(!play(wrong).empty());
    wrong = vector;
    wrong.expected = "1 " + vector.expected;
    CHECK(!play(wrong).empty());
  }
  Vector idle = right[0];
  idle.expected = "0 #1, 20 #2 = 200 leaving 2 idle";
  CHECK(!play(idle).empty());
  idle.expected = "0 #1, 20 #1 = 200";
  CHECK(!play(idle).empty());
}

TEST_CASE("vectors: a row that does not hold is found") {
  Vector vector{"x", "retry jitter=none", "GET", "500; 200", "0, 100 = 200", ""};
  CHECK(play(vector).empty());
  for (const char* wrong :
       {"0 = 200", "0, 101 = 200", "0, 100 = 500", "0, 100 = 200 at 99", "0, 100 = 200 `x`",
        "0, 100 POST http://h/ = 200", "0, 100 {X: y} = 200", "0, 100 = 200 ~x"}) {
    CAPTURE(wrong);
    vector.expected = wrong;
    CHECK(!play(vector).empty());
  }
  vector.stack = "retri";
  CHECK(play(vector).find("no such layer") != std::string::npos);
}
