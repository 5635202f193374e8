// The Stream contract over real sockets.

#include <catch2/catch_test_macros.hpp>

#include "support/socket_streams.h"
#include "support/stream_contract.h"

using namespace escapement;

TEST_CASE("every socket stream keeps the Stream contract") {
  test::check_stream_contract(test::socket_streams());
}
