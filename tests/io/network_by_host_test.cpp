// Hosts that are reached in ways of their own.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/network_by_host.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

TEST_CASE("network by host: a host of its own network, and all others") {
  Sim sim;
  SimNetwork own(sim.backend());
  std::unique_ptr<Listener> in_own = *own.listen("docker:80");
  NetworkByHost network(sim.network());
  network.add("Docker", own);
  std::unique_ptr<Listener> elsewhere = *network.listen("a.test:80");
  CHECK(sim.run(network.connect("docker", 80)));
  CHECK(sim.run(network.connect_within(1s, "DOCKER", 80)));
  CHECK(own.connections() != 0);
  CHECK(sim.network().connections() == 0);
  CHECK(sim.run(network.connect("a.test", 80)));
  CHECK(sim.run(network.connect("docker", 81)).error() == Errc::unavailable);
  CHECK(sim.run(network.connect("docker.", 80)).error() == Errc::not_found);
  network.add("docker", sim.network());
  CHECK(sim.run(network.connect("docker", 80)).error() == Errc::not_found);
}
