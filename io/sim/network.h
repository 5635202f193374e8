// SimNetwork: a Network without a kernel. Hosts, latency, losses and faults, all from one seed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/io/sim/backend.h>
#include <escapement/io/stream.h>

namespace escapement {

namespace detail {
class SimWorld;
}

// The behaviour of a simulated network. The defaults are a perfect one: no latency, no limits, no faults. All
// randomness is drawn from the network's seed.
struct SimNetworkOptions {
  // The latency one way. Opening a connection takes two of them.
  Duration latency;
  // Jitter, added to each packet's latency, uniform from zero to this. Packets of one connection keep their
  // order.
  Duration jitter;
  // Bytes per second in one direction of one connection. 0: no limit.
  std::uint64_t bandwidth = 0;
  // Bytes that one direction holds, in flight or unread; a write of more waits for room. At least 1
  // (checked).
  std::size_t buffer = 64 * KiB;
  // The largest packet and the largest read, in bytes: their sizes are random, from 1 to this. 0: no limit.
  std::size_t chunk_max = 0;
  // Breaks a connection once in this many packets; the packet does not arrive. 0: never.
  std::uint64_t reset_one_in = 0;
  // Refuses one in this many attempts to connect. 0: none.
  std::uint64_t refuse_one_in = 0;
  // Connections per listener that are not accepted yet; more are refused.
  std::size_t backlog = 128;
};

// The faults of a host, which tests may switch at any time. They apply to existing and new connections alike,
// where that makes sense.
struct SimFaults {
  // The name does not exist: connecting fails with not_found.
  bool unknown = false;
  // Connections are refused: connecting fails with unavailable.
  bool refuse = false;
  // Nothing reaches the host and nothing leaves it: connecting waits for ever, open connections fall silent.
  // Nothing is lost: when this is switched off, bytes in flight arrive.
  bool black_hole = false;
  // Breaks a connection when this many bytes have arrived on it, both directions counted. 0: never.
  std::uint64_t reset_after_bytes = 0;
};

// A simulated network. Must outlive the tasks it returns; the backend must outlive its streams and listeners.
//
// A host exists by its name once something has listened there or `add_host` was called; literal addresses and
// "localhost" (which is 127.0.0.1) always exist. Connecting to a name that does not exist fails with
// not_found; to a port where nobody listens, with unavailable. Names are compared ignoring case. A
// listener on ":PORT", "0.0.0.0:PORT" or "[::]:PORT" accepts for every host that exists.
//
// The streams behave like TCP: bytes written before a close still arrive, and then the end. Destroying a
// stream with unread bytes resets the connection, and so does sending to a destroyed one, once the packet has
// arrived there. A reset destroys what has not been read.
class SimNetwork final : public Network {
 public:
  // `backend` must outlive the network's streams and listeners.
  explicit SimNetwork(SimBackend& backend, Seed seed = Seed(),
                      SimNetworkOptions options = SimNetworkOptions());
  ~SimNetwork() override;

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;

  // Applies to packets sent and connections opened from now on.
  void set_options(const SimNetworkOptions& options);
  const SimNetworkOptions& options() const;

  // Makes a name known without listening on it.
  void add_host(std::string_view host);
  // Replaces the host's faults; `SimFaults()` removes them.
  void set_faults(std::string_view host, SimFaults faults);
  // Breaks every open connection to the host now.
  void reset_connections(std::string_view host);

  // Returns the number of connections of which at least one end exists.
  std::size_t connections() const;

 private:
  std::shared_ptr<detail::SimWorld> world_;
};

}  // namespace escapement
