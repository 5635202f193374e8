// The n-th allocation fails, for every n, while two ends of a connection shake hands: also where mbedTLS
// calls back, which no exception may pass. The handshake comes to an end, and the next one succeeds.

#include <new>
#include <optional>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/combine.h>

#include "support/failing_calls.h"
#include "support/socket_streams.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

Task<> hear(std::unique_ptr<TlsStream> stream) {
  std::byte room[10];
  const std::size_t count = co_await stream->read(room);
  if (count == 0) co_await Error(Errc::reset, "nothing came");
}

Task<> connect(TlsClient client, std::unique_ptr<Stream> plain, bool& resumed) {
  std::unique_ptr<TlsStream> stream = co_await client.connect(std::move(plain), "a.test");
  resumed = stream->info().resumed;
  co_await hear(std::move(stream));  // the ticket comes before what is read
}

Task<> accept(TlsServer server, std::unique_ptr<Stream> plain) {
  std::unique_ptr<TlsStream> stream = co_await server.accept(std::move(plain));
  co_await stream->write(as_bytes("x"));
}

// Yields whether the client resumed.
Task<bool> shake(TlsClient client, TlsServer server, LoopWorld& world) {
  bool resumed = false;
  StreamPair pair = co_await world.open();
  Task<> connecting = connect(std::move(client), std::move(pair.first), resumed);
  Task<> accepting = accept(std::move(server), std::move(pair.second));
  co_await all(std::move(connecting), std::move(accepting));
  co_return resumed;
}

}  // namespace

TEST_CASE("allocation faults: whichever fails, a TLS handshake ends, and the next one succeeds") {
  const TlsVersion version = GENERATE(TlsVersion::tls12, TlsVersion::tls13);
  const bool resumes = GENERATE(false, true);
  CAPTURE(version, resumes);
  TlsClientOptions for_client = trusting_ca();
  for_client.newest = version;
  for_client.tickets_max = resumes ? 10 : 0;
  const TlsClient client = make_client(for_client);
  const TlsServer server = make_server(serving("a"));
  bool failed = true;
  for (long n = 0; failed; ++n) {
    CAPTURE(n);
    REQUIRE(n < 5000);
    LoopWorld world("epoll");
    const Result<bool> before = world.reactor().run(shake(client, server, world));
    REQUIRE(before);
    std::optional<Result<bool>> outcome;
    Task<bool> shaking = shake(client, server, world);
    try {
      FailingCall fault(Call::allocate, 0, 1, n);
      outcome.emplace(world.reactor().run(std::move(shaking)));
      failed = fault.count() != 0;
    } catch (const std::bad_alloc&) {
      continue;  // of the wheel's, which ends the loop (CHANGELOG.md, Known)
    }
    if (!failed) CHECK(*outcome);
    if (!failed && resumes) CHECK(**outcome);
    const Result<bool> after = world.reactor().run(shake(client, server, world));
    CHECK(after);
  }
}
