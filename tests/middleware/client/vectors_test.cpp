// Every vector of tests/vectors/behaviour.txt.

#include "support/vectors.h"

#include <catch2/catch_test_macros.hpp>

using namespace escapement::test;

TEST_CASE("vectors: each row of the client's behaviour holds") {
  const std::vector<Vector> vectors = read_vectors(vectors_text());
  CHECK(vectors.size() > 150);
  for (const Vector& vector : vectors) {
    INFO(vector.id << "\n  stack: " << vector.stack << "\n  peer: " << vector.peer
                   << "\n  expected: " << vector.expected);
    CHECK(play(vector) == "");
  }
}

TEST_CASE("vectors: a row that does not hold is found") {
  Vector vector{"x", "retry jitter=none", "GET", "500; 200", "0, 100 = 200"};
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
