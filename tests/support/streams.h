// The kinds of Stream that exist, for tests that run over every one of them.
//
// A kind that runs anywhere is one line in `portable_streams()`; one that needs sockets is one line in
// socket_streams.h, which only native tests include.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <escapement/core/combine.h>
#include <escapement/io/sim/sim.h>

namespace escapement::test {

struct StreamPair {
  StreamPair(std::unique_ptr<Stream> a, std::unique_ptr<Stream> b)
      : first(std::move(a)), second(std::move(b)) {}
  std::unique_ptr<Stream> first;
  std::unique_ptr<Stream> second;
};

// Somewhere streams live: a reactor, and a way to get two connected ones.
class StreamWorld {
 public:
  virtual ~StreamWorld() = default;
  virtual Reactor& reactor() = 0;
  virtual Task<StreamPair> open() = 0;
};

struct StreamKind {
  std::string name;
  std::function<std::unique_ptr<StreamWorld>()> make;
  bool can_reset = true;  // reset_on_close has an effect
};

// Two ends of one connection through `network`: the one that connected and the one that accepted.
inline Task<StreamPair> connect_through(Network& network, std::string host) {
  std::unique_ptr<Listener> listener = co_await network.listen(host + ":0");
  const std::uint16_t port = listener->port();
  using Both = std::tuple<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;
  Both both = co_await all(network.connect(host, port), listener->accept());
  co_return StreamPair(std::move(std::get<0>(both)), std::move(std::get<1>(both)));
}

class PipeWorld final : public StreamWorld {
 public:
  explicit PipeWorld(PipeOptions options) : options_(options) {}
  Reactor& reactor() override { return sim_.reactor(); }
  Task<StreamPair> open() override {
    PipeEnds ends = pipe(options_);
    co_return StreamPair(std::move(ends.first), std::move(ends.second));
  }

 private:
  Sim sim_;
  PipeOptions options_;
};

class SimStreamWorld final : public StreamWorld {
 public:
  SimStreamWorld(Seed seed, SimNetworkOptions options) : sim_(seed, options) {}
  Reactor& reactor() override { return sim_.reactor(); }
  Task<StreamPair> open() override { return connect_through(sim_.network(), "127.0.0.1"); }

 private:
  Sim sim_;
};

inline StreamKind pipe_streams(std::string name, PipeOptions options) {
  return {std::move(name), [options] { return std::make_unique<PipeWorld>(options); }};
}

inline StreamKind sim_streams(std::string name, Seed seed, SimNetworkOptions options) {
  return {std::move(name), [=] { return std::make_unique<SimStreamWorld>(seed, options); }};
}

// Every kind that needs no operating system.
inline std::vector<StreamKind> portable_streams() {
  std::vector<StreamKind> kinds;
  for (const std::size_t size : {1, 2, 3, 4, 5, 6, 7, 8, 16, 31}) {
    kinds.push_back(pipe_streams("pipe, reads of " + std::to_string(size), {.read_max = size}));
  }
  kinds.push_back(pipe_streams("pipe", {}));
  kinds.push_back(pipe_streams("pipe of 20 bytes", {.capacity = 20}));
  kinds.push_back(sim_streams("sim, perfect", Seed{1}, {}));
  kinds.push_back(sim_streams("sim, far", Seed{2}, {.latency = 40ms, .jitter = 30ms}));
  kinds.push_back(sim_streams("sim, slow", Seed{3}, {.latency = 1ms, .bandwidth = 100'000, .buffer = 4096}));
  for (std::uint64_t seed = 4; seed < 9; ++seed) {
    const SimNetworkOptions ragged{
        .latency = 2ms, .jitter = 5ms, .buffer = static_cast<std::size_t>(700 * seed), .chunk_max = 64};
    kinds.push_back(sim_streams("sim, ragged, seed " + std::to_string(seed), Seed{seed}, ragged));
  }
  return kinds;
}

}  // namespace escapement::test
