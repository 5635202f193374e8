// The long run of client_stale_test.cpp on sockets.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/io/http/client.h>
#include <escapement/io/native/loop.h>

#include "support/backends.h"
#include "support/closing_server.h"
#include "support/loops.h"

using namespace escapement;

TEST_CASE("client: on sockets, 24,000 requests to a server that closes at its idle limit") {
  const std::unique_ptr<Loop> loop = test::make_loop(ESC_EACH_BACKEND());
  std::unique_ptr<Listener> listener = *loop->network().listen("127.0.0.1:0");
  const std::string origin = "http://127.0.0.1:" + std::to_string(listener->port());
  test::ClosingServer server(loop->reactor(), std::move(listener), 4ms);
  server.first_wait = 10s;  // a busy machine may take longer than the idle limit to use a new connection
  http::ClientOptions options;
  options.connections_per_host_max = 40;
  http::Client client(loop->network(), options);
  test::LongRun run(Random(7), 3500us, 1ms);
  const Result<> done = loop->run(run.play(client, origin, 40, 600));
  CHECK(done);
  run.check(server);
}
