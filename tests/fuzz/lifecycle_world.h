// Where a lifecycle game takes place, and what its players share.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/sim/sim.h>
#include <escapement/io/tls/tls.h>

#include "fuzz/lifecycle_game.h"
#include "support/alive.h"

namespace escapement::test {

// Ends the program where turns go on and on: nothing in a game needs so many.
class SpinWatch final : public TurnWatcher {
 public:
  void turn_ended(const Turn& turn) override;

 private:
  int turns_ = 0;
};

struct LifecycleWorld {
  LifecycleWorld(const LifecycleKind& kind, std::uint64_t seed);
  LifecycleWorld(const LifecycleWorld&) = delete;
  ~LifecycleWorld();

  Reactor& reactor() { return sim ? sim->reactor() : loop->reactor(); }
  Network& network() { return sim ? static_cast<Network&>(sim->network()) : loop->network(); }
  std::size_t open() const { return server ? server->statistics().open : 0; }
  // The first thing that was wrong is kept.
  void found(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }
  // Called when an observer was notified, and may end the server.
  void told();

  LifecycleKind kind;
  Random random;
  bool calm = random.one_in(4);
  Duration limit = calm ? Duration(20s) : Duration(1ms) * static_cast<std::int64_t>(10 + random.up_to(60));
  std::string wrong;
  int alive = 0;   // frames and bodies of the game
  int active = 0;  // players that are not done yet
  int observer_acts_at = -1;
  int times_told = 0;

  SpinWatch spin;
  std::unique_ptr<Loop> loop;
  std::unique_ptr<Sim> sim;
  std::optional<TlsClient> tls_client;
  std::optional<TlsServer> tls_server;
  std::uint16_t port = 0;         // of the server
  std::uint16_t origin_port = 0;  // of one that answers as badly as it can
  Event over;                     // who waits in silence may go
  std::optional<http::Server> server;
  std::optional<Scope> serving;
  std::optional<http::Client> client;
};

// Service and observers (lifecycle_server.cpp).
http::Service lifecycle_service(LifecycleWorld& world);

// The players (lifecycle_clients.cpp).
Task<> raw_client(LifecycleWorld& world, std::uint64_t seed);
Task<> caller(LifecycleWorld& world, std::uint64_t seed);
Task<> bad_origin(LifecycleWorld& world, std::unique_ptr<Listener> listener, std::uint64_t seed);

// Nothing, a turn, or some milliseconds.
Task<> pause(Random& random);

}  // namespace escapement::test
