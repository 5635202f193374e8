#include "fuzz/lifecycle_game.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "fuzz/lifecycle_world.h"
#include "support/failing_calls.h"
#include "support/loops.h"
#include "support/tls_streams.h"

namespace escapement::test {

namespace {

constexpr int turns_max = 500'000;
constexpr Duration patience = 60s;  // far beyond every limit of a game

SimNetworkOptions network_of(Random& random) {
  SimNetworkOptions options;
  if (random.one_in(2)) options.latency = Duration(100us) * static_cast<std::int64_t>(random.up_to(20));
  if (random.one_in(2)) options.jitter = 1ms;
  if (random.one_in(2)) options.buffer = static_cast<std::size_t>(1000 + random.up_to(5000));
  if (random.one_in(3)) options.chunk_max = 500;
  return options;
}

http::ServerOptions server_options(LifecycleWorld& world) {
  http::ServerOptions options;
  options.head_timeout = options.idle_timeout = options.handler_timeout = options.body_idle =
      options.write_stall = world.limit;
  options.half_close = world.random.one_in(2);
  if (!world.calm && world.random.one_in(4)) options.connections_max = 1 + world.random.up_to(2);
  if (!world.calm && world.random.one_in(4)) options.body_bytes_max = 1000;
  return options;
}

http::ClientOptions client_options(LifecycleWorld& world) {
  http::ClientOptions options;
  options.connections_per_host_max = 1 + static_cast<std::size_t>(world.random.up_to(2));
  options.queue_timeout = options.connect_timeout = options.head_timeout = options.stall_timeout =
      world.limit;
  // A calm game is over when no connection is open: a limit that waits for nobody may be short.
  options.idle_timeout = world.calm ? Duration(3ms) : world.limit;
  if (world.kind.tls) options.encrypt = *world.tls_client;
  return options;
}

std::size_t descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

Task<> accept_by_hand(LifecycleWorld& world, std::unique_ptr<Listener> listener) {
  for (;;) {
    Result<std::unique_ptr<Stream>> stream = co_await listener->accept().result();
    if (!stream) {
      co_await sleep(1ms);
    } else {
      world.serving->spawn(world.server->serve_connection(*std::move(stream)));
    }
  }
}

Task<> begin(LifecycleWorld& world) {
  std::unique_ptr<Listener> listener = co_await world.network().listen("127.0.0.1:0");
  world.port = listener->port();
  if (world.kind.tls) listener = world.tls_server->wrap(std::move(listener));
  const bool by_hand = !world.calm && world.random.one_in(4);
  if (by_hand) {
    world.serving->spawn(accept_by_hand(world, std::move(listener)));
  } else {
    world.serving->spawn(world.server->serve(std::move(listener)));
  }
}

enum class Fate {
  none,
  none_either,
  shutdown,
  shutdown_twice,
  cancelled,
  destroyed,
  client_destroyed,
  no_memory,
  no_descriptors
};

Task<> run_out(Call call, int number, Random& random) {
  FailingCall fault(call, number, random.one_in(2) ? 1 : LONG_MAX, static_cast<long>(random.up_to(60)));
  co_await sleep(Duration(100us) * static_cast<std::int64_t>(random.up_to(30)));
}

// Does something to the server, at some instant.
Task<> befall(LifecycleWorld& world, std::uint64_t seed) {
  Random random(seed);
  const Duration grace = Duration(1ms) * static_cast<std::int64_t>(random.up_to(20));
  co_await sleep(Duration(100us) * static_cast<std::int64_t>(random.up_to(150)));
  const bool on_sockets = world.loop != nullptr;  // a simulated network needs memory itself
  switch (static_cast<Fate>(random.up_to(on_sockets ? 8 : 6))) {
    case Fate::none:
    case Fate::none_either: break;
    case Fate::shutdown_twice: world.server->shutdown(10s); [[fallthrough]];
    case Fate::shutdown: world.server->shutdown(grace); break;
    case Fate::destroyed:
      world.serving->cancel();
      world.server.reset();
      break;
    case Fate::client_destroyed: world.client.reset(); break;
    case Fate::cancelled: world.serving->cancel(); break;
    case Fate::no_memory: co_await run_out(Call::allocate, 0, random); break;
    case Fate::no_descriptors: co_await run_out(Call::accept4, EMFILE, random); break;
  }
}

Task<> until_over(LifecycleWorld& world) {
  while (world.active != 0 || world.open() != 0) co_await sleep(1ms);
}

Task<> play(LifecycleWorld& world) {
  co_await begin(world);
  std::unique_ptr<Listener> origin = co_await world.network().listen("127.0.0.1:0");
  world.origin_port = origin->port();
  Scope players(world.reactor(), [](Error) {});
  Scope others(world.reactor(), [](Error) {});
  others.spawn(bad_origin(world, std::move(origin), world.random.next()));
  for (std::uint64_t n = 1 + world.random.up_to(4); n > 0; --n) {
    players.spawn(raw_client(world, world.random.next()));
  }
  for (std::uint64_t n = world.random.up_to(3); n > 0; --n) players.spawn(caller(world, world.random.next()));
  // By their limits alone, while clients that have fallen silent hold their ends. (Made while there is
  // memory.)
  Task<> waiting = with_timeout(patience, until_over(world));
  Task<> joining = with_timeout(patience, players.join());
  if (!world.calm) others.spawn(befall(world, world.random.next()));
  co_await sleep(1ms);
  Result<> over = co_await std::move(waiting).result();
  if (!over && over.error() != Errc::overloaded) {
    world.found("never over: " + std::to_string(world.open()) + " connections open, " +
                std::to_string(world.active) + " players active");
  }
  world.over.set();
  Result<> left = co_await std::move(joining).result();
  if (!left) world.found("clients that never end");
}

void run(LifecycleWorld& world) {
  try {
    const Result<> played = world.reactor().run(play(world));
    if (!played && (world.calm || played.error() != Errc::overloaded)) world.found(to_string(played.error()));
  } catch (const std::bad_alloc&) {
    // The wheel needed memory while there was none (CHANGELOG.md, Known): everything is destroyed as it is.
  }
}

}  // namespace

void SpinWatch::turn_ended(const Turn&) {
  if (++turns_ < turns_max) return;
  std::fprintf(stderr, "lifecycle: the reactor spins\n");
  std::abort();
}

LifecycleWorld::LifecycleWorld(const LifecycleKind& k, std::uint64_t seed) : kind(k), random(seed) {
  if (kind.backend == "sim") {
    sim = std::make_unique<Sim>(Seed{seed}, network_of(random));
    sim->network().add_host("127.0.0.1");
  } else {
    loop = make_loop(kind.backend);
  }
  if (kind.tls) {
    const TlsVersion version = random.one_in(2) ? TlsVersion::tls12 : TlsVersion::tls13;
    TlsClientOptions for_client = trusting_ca();
    for_client.newest = version;
    TlsServerOptions for_server = test::serving("a");
    for_server.handshake_timeout = for_client.handshake_timeout = std::max<Duration>(limit, 100ms);
    tls_client = make_client(for_client);
    tls_server = make_server(for_server);
  }
  if (!calm && random.one_in(3)) observer_acts_at = static_cast<int>(random.up_to(5));
  server.emplace(lifecycle_service(*this), server_options(*this));
  server->on_failure = [this](const Error&) { told(); };
  server->on_refused = [this](const http::Refusal&) { told(); };
  client.emplace(network(), client_options(*this));
  serving.emplace(reactor(), [](Error) {});
  reactor().watch_turns(&spin);
  reactor().on_unhandled_failure([](const Error&) {});  // clients fail as the server ends them
}

LifecycleWorld::~LifecycleWorld() {
  reactor().watch_turns(nullptr);
  client.reset();
  serving.reset();
  server.reset();
}

void LifecycleWorld::told() {
  if (times_told++ != observer_acts_at) return;
  if (random.one_in(2)) {
    serving->cancel();
  } else if (server) {
    server->shutdown(Duration());
  }
}

std::string play_lifecycle(const LifecycleKind& kind, std::uint64_t seed) {
  const std::size_t descriptors_before = descriptors();
  std::string wrong;
  int alive = 0;
  {
    LifecycleWorld world(kind, seed);
    run(world);
    world.client.reset();
    world.serving->cancel();
    if (world.server && world.open() != 0) world.found("connections are open after all was cancelled");
    world.server.reset();
    alive = world.alive;
    wrong = world.wrong;
  }
  if (wrong.empty() && alive != 0) wrong = std::to_string(alive) + " objects of the game are alive after it";
  if (wrong.empty() && descriptors() != descriptors_before) wrong = "descriptors are left";
  return wrong;
}

}  // namespace escapement::test
