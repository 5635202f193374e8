// The Stream contract over real sockets.

#include <catch2/catch_test_macros.hpp>

#include "support/socket_streams.h"
#include "support/stream_contract.h"
#include "support/upgrades.h"

using namespace escapement;

TEST_CASE("every socket stream keeps the Stream contract") {
  test::check_stream_contract(test::socket_streams());
}

TEST_CASE("upgrade: what comes behind the head belongs to the new protocol, over sockets") {
  test::check_upgrades(test::socket_streams());
}

TEST_CASE("upgrade: a socket whose connection has left HTTP keeps the Stream contract") {
  std::vector<test::StreamKind> kinds;
  for (const test::StreamKind& kind : test::socket_streams()) kinds.push_back(test::upgraded(kind));
  test::check_stream_contract(kinds);
}
