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

// How a simulated network behaves. The defaults are a perfect one: no latency, no limits, no faults. What
// is random is drawn from the network's seed.
struct SimNetworkOptions {
  // One way. Opening a connection takes two of them.
  Duration latency;
  // Added to each packet's latency, uniformly from zero to this. Packets of one connection keep their order.
  Duration jitter;
  // Bytes per second in one direction of one connection. 0: no limit.
  std::uint64_t bandwidth = 0;
  // Bytes one direction holds, on the way or unread; a write waits for room beyond. At least 1 (checked).
  std::size_t buffer = 64 * KiB;
  // Bytes travel in packets of 1 to this many, and a read yields 1 to this many. 0: as large as they come.
  std::size_t chunk_max = 0;
  // One packet in this many breaks its connection instead of arriving. 0: none.
  std::uint64_t reset_one_in = 0;
  // One attempt to connect in this many is refused. 0: none.
  std::uint64_t refuse_one_in = 0;
  // Connections that nobody has accepted, per listener; more are refused.
  std::size_t backlog = 128;
};

// What is wrong with a host, for tests to switch at any time. It applies to connections that exist and to
// new ones alike, where it makes sense for them.
struct SimFaults {
  // Nobody is known by this name: connecting fails with not_found.
  bool unknown = false;
  // Connecting is answered by a refusal: unavailable.
  bool refuse = false;
  // Nothing reaches the host and nothing leaves it: connecting waits for ever, open connections fall
  // silent. Nothing is lost: when this is switched off, what was on the way arrives.
  bool black_hole = false;
  // A connection breaks when this many bytes have arrived on it, both directions counted. 0: never.
  std::uint64_t reset_after_bytes = 0;
};

// Must outlive the tasks it returns; the backend must outlive its streams and listeners.
//
// A host exists by its name once something has listened there or `add_host` was called; literal addresses
// and "localhost" (which is 127.0.0.1) always exist. Connecting to a name that does not exist fails with
// not_found; to a port where nobody listens, with unavailable. Names are compared without regard to case.
// A listener on ":PORT", "0.0.0.0:PORT" or "[::]:PORT" answers for every host that exists.
//
// The streams behave as TCP does: what was written before a close still arrives, and then the end.
// Destroying a stream with unread bytes resets the connection, and so does sending to a destroyed one,
// once the packet has arrived there. A reset destroys what has not been read.
class SimNetwork final : public Network {
 public:
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
  // Replaces the host's faults; `SimFaults()` makes it whole again.
  void set_faults(std::string_view host, SimFaults faults);
  // Breaks every open connection to the host now.
  void reset_connections(std::string_view host);

  // Connections of which at least one end exists.
  std::size_t connections() const;

 private:
  std::shared_ptr<detail::SimWorld> world_;
};

}  // namespace escapement
