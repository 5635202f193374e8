// The Stream contract over everything that needs no operating system. Sockets: socket_stream_test.cpp.

#include <catch2/catch_test_macros.hpp>

#include "support/stream_contract.h"

using namespace escapement;

TEST_CASE("every portable stream keeps the Stream contract") {
  test::check_stream_contract(test::portable_streams());
}
