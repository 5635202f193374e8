// A server's connections share buffers: nothing of one is left for the next.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/h1/connection.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;
using http::detail::Http1Connection;

namespace {

class NoWaits final : public http::detail::Waits {
  void begin_wait(For) override {}
  void end_wait(For) override {}
};

}  // namespace

TEST_CASE("connection: one that is lent again has forgotten the end, the failure and the size of the last") {
  Sim sim;
  NoWaits waits;
  Http1Connection connection(http::Parser::Role::request, http::ParserLimits());
  {
    PipeEnds ends = pipe();
    connection.attach(*ends.second, waits);
    REQUIRE(sim.run(ends.first->write(as_bytes("no request\r\n"))));
    CHECK(*sim.run(connection.receive()));
    CHECK(connection.parse() == http::Parser::Event::failed);
    CHECK(connection.parse_error_status() == 400);
    connection.take_unread_bytes();
    ends.first.reset();
    CHECK(!*sim.run(connection.receive()));
    connection.out().room(1 * MiB);
    CHECK(connection.out().capacity() >= 1 * MiB);
    connection.detach();
  }
  PipeEnds ends = pipe();
  connection.attach(*ends.second, waits);
  CHECK(connection.parse_error_status() == 0);
  CHECK(!connection.unsent());
  CHECK(connection.between_messages());
  CHECK(connection.out().capacity() <= 128 * KiB);
  REQUIRE(sim.run(ends.first->write(as_bytes("GET / HTTP/1.1\r\nHost: s\r\n\r\n"))));
  CHECK(*sim.run(connection.receive()));
  CHECK(connection.parse() == http::Parser::Event::bare_head);
  connection.detach();
}
