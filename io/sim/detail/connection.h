// The inside of a SimNetwork: the world, its hosts, and the connections between them.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/random.h>
#include <escapement/io/sim/detail/receive_buffer.h>
#include <escapement/io/sim/network.h>

namespace escapement::detail {

class SimConnection;
class SimListener;

// Shared by the network, its listeners and its connections, so that streams may outlive the network.
class SimWorld {
 public:
  struct Host {
    bool known = false;
    SimFaults faults;
    std::vector<std::function<void()>> held;  // arrived while it was a black hole
  };

  SimWorld(SimBackend& on, Seed seed, const SimNetworkOptions& network)
      : backend(on), random(seed.value), options(network) {}

  bool exists(const std::string& host) const;
  SimListener* listener(const std::string& host, std::uint16_t port) const;
  // Returns a port that nobody uses there.
  std::uint16_t free_port(const std::string& host);

  // Returns when something sent now arrives.
  Instant arrival();
  // Calls `event` at `at`, or later if the host is a black hole then.
  void arrive(const std::string& host, Instant at, std::function<void()> event);
  void set_faults(const std::string& host, const SimFaults& faults);
  // Called when the network is destroyed: events held by black holes, now or later, can never arrive.
  void abandon();

  SimBackend& backend;
  Random random;
  SimNetworkOptions options;
  std::map<std::string, Host> hosts;
  std::map<std::pair<std::string, std::uint16_t>, SimListener*> listeners;
  std::map<std::uint64_t, SimConnection*> connections;
  std::uint64_t connections_made = 0;
  std::uint16_t last_port = 49151;
  bool abandoned = false;
};

// A connection has two ends, 0 the one that connected and 1 the one that accepted. Lane i carries what end
// i sends.
class SimConnection : public std::enable_shared_from_this<SimConnection> {
 public:
  SimConnection(std::shared_ptr<SimWorld> world, std::string host);

  ReceiveBuffer& receive_buffer_of(int end) { return lanes_[1 - end].inbox; }
  // Returns how many bytes the end may send now.
  std::size_t room(int end) const;
  // Returns the end's wait for room to send.
  ReceiveBuffer::Waiting writes(int end) { return lanes_[end].inbox.writes(); }
  // Delivers bytes that are due for the end and have not been announced yet: a socket has them before its
  // poller says so.
  void catch_up(int end);
  // Sends one packet and returns how much of `bytes` it took. There must be room, and `bytes` must not be
  // empty.
  std::size_t send(int end, Bytes bytes);
  void send_end(int end);
  void send_reset(int end);
  bool end_sent(int end) const { return lanes_[end].end_sent; }
  // Called when the end is destroyed.
  void close(int end);
  // Resets both ends now.
  void break_now();

  std::shared_ptr<SimWorld> world;
  const std::string host;  // that of end 1
  const std::uint64_t id;

 private:
  enum class Kind { data, end, reset };
  struct Packet {
    Instant arrives;
    Kind kind;
    std::string bytes;
  };
  struct Lane {
    ReceiveBuffer inbox;  // at the far end
    std::deque<Packet> packets;
    std::size_t bytes_on_the_way = 0;
    Instant link_free;
    Instant last_arrival;
    bool end_sent = false;
    bool sender_gone = false;
  };

  void dispatch(int end, Kind kind, std::string bytes);
  void deliver(int lane);
  void deliver_data(int lane, std::string_view bytes);
  void reset_end(int end);
  bool gone(int end) const { return lanes_[end].sender_gone; }

  Lane lanes_[2];
  std::uint64_t bytes_arrived_ = 0;
};

}  // namespace escapement::detail
