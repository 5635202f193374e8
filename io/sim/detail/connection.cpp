#include <escapement/io/sim/detail/connection.h>

#include <algorithm>

namespace escapement::detail {

namespace {

// Literal addresses need no name service: IPv6 has colons, IPv4 only digits and dots.
bool is_literal(const std::string& host) {
  return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

constexpr Duration zero;

}  // namespace

bool SimWorld::exists(const std::string& host) const {
  const auto found = hosts.find(host);
  if (found != hosts.end() && found->second.faults.unknown) return false;
  return is_literal(host) || (found != hosts.end() && found->second.known);
}

// Returns the host's own listener, else the one for every host, whose name is empty.
SimListener* SimWorld::listener(const std::string& host, std::uint16_t port) const {
  auto found = listeners.find({host, port});
  if (found == listeners.end()) found = listeners.find({std::string(), port});
  return found == listeners.end() ? nullptr : found->second;
}

std::uint16_t SimWorld::free_port(const std::string& host) {
  do {
    last_port = last_port == 65535 ? 49152 : static_cast<std::uint16_t>(last_port + 1);
  } while (listeners.contains({host, last_port}));
  return last_port;
}

Instant SimWorld::arrival() {
  Duration travel = std::max(options.latency, zero);
  if (options.jitter > zero) {
    const std::uint64_t extra = random.up_to(static_cast<std::uint64_t>(options.jitter.count()));
    travel += Duration::nanoseconds(static_cast<std::int64_t>(extra));
  }
  return backend.now() + travel;
}

void SimWorld::arrive(const std::string& host, Instant at, std::function<void()> event) {
  backend.schedule(at, [this, host, event = std::move(event)] {
    Host& there = hosts[host];
    if (!there.faults.black_hole) {
      event();
    } else if (!abandoned) {
      there.held.push_back(event);
    }
  });
}

void SimWorld::set_faults(const std::string& host, const SimFaults& faults) {
  Host& there = hosts[host];
  there.faults = faults;
  if (faults.black_hole) return;
  std::vector<std::function<void()>> held = std::move(there.held);
  there.held.clear();
  for (std::function<void()>& event : held) arrive(host, backend.now(), std::move(event));
}

// Drops the held events: they hold the connections they belong to, and those hold this world.
void SimWorld::abandon() {
  abandoned = true;
  std::vector<std::function<void()>> dropped;
  for (auto& [name, host] : hosts) {
    for (std::function<void()>& event : host.held) dropped.push_back(std::move(event));
    host.held.clear();
  }
}

SimConnection::SimConnection(std::shared_ptr<SimWorld> in, std::string to)
    : world(std::move(in)), host(std::move(to)), id(++world->connections_made) {
  world->connections.emplace(id, this);
}

std::size_t SimConnection::room(int end) const {
  const Lane& lane = lanes_[end];
  const std::size_t used = lane.bytes_on_the_way + lane.inbox.size();
  return world->options.buffer > used ? world->options.buffer - used : 0;
}

std::size_t SimConnection::send(int end, Bytes bytes) {
  std::size_t count = std::min(room(end), bytes.size());
  const std::size_t chunk_max = world->options.chunk_max;
  if (chunk_max != 0) count = std::min<std::size_t>(count, 1 + world->random.up_to(chunk_max - 1));
  lanes_[end].bytes_on_the_way += count;
  dispatch(end, Kind::data, std::string(as_text(bytes.first(count))));
  return count;
}

void SimConnection::send_end(int end) {
  lanes_[end].end_sent = true;
  dispatch(end, Kind::end, {});
}

void SimConnection::send_reset(int end) { dispatch(end, Kind::reset, {}); }

void SimConnection::dispatch(int end, Kind kind, std::string bytes) {
  Lane& lane = lanes_[end];
  Duration busy;
  if (const std::uint64_t bandwidth = world->options.bandwidth; bandwidth != 0) {
    lane.link_free = std::max(lane.link_free, world->backend.now());
    const double seconds = static_cast<double>(bytes.size()) / static_cast<double>(bandwidth);
    lane.link_free = lane.link_free + Duration(std::chrono::duration<double>(seconds));
    busy = lane.link_free - world->backend.now();
  }
  lane.last_arrival = std::max(lane.last_arrival, world->arrival() + busy);
  lane.packets.push_back({lane.last_arrival, kind, std::move(bytes)});
  world->arrive(host, lane.last_arrival, [self = shared_from_this(), end] { self->deliver(end); });
}

void SimConnection::catch_up(int end) {
  if (!world->hosts[host].faults.black_hole) deliver(1 - end);
}

void SimConnection::deliver(int end) {
  Lane& lane = lanes_[end];
  while (!lane.packets.empty() && lane.packets.front().arrives <= world->backend.now()) {
    const Packet packet = std::move(lane.packets.front());
    lane.packets.pop_front();
    switch (packet.kind) {
      case Kind::data:
        lane.bytes_on_the_way -= packet.bytes.size();
        deliver_data(end, packet.bytes);
        break;
      case Kind::end:
        world->backend.trace("end", id);
        lane.inbox.end();
        break;
      case Kind::reset:
        world->backend.trace("reset", id);
        reset_end(1 - end);
        break;
    }
  }
}

void SimConnection::deliver_data(int lane, std::string_view bytes) {
  const int receiver = 1 - lane;
  if (world->random.one_in(world->options.reset_one_in)) return break_now();
  if (lanes_[lane].inbox.write_closed) return;
  if (gone(receiver)) return send_reset(receiver);
  const std::uint64_t limit = world->hosts[host].faults.reset_after_bytes;
  if (limit != 0) {
    bytes = bytes.substr(0, limit > bytes_arrived_ ? limit - bytes_arrived_ : 0);
    // Breaks it later, not at once, so that a reader gets the bytes before the break.
    if (bytes_arrived_ + bytes.size() >= limit) {
      world->backend.schedule(world->backend.now(), [self = shared_from_this()] { self->break_now(); });
    }
  }
  bytes_arrived_ += bytes.size();
  world->backend.trace("deliver", id, bytes.size());
  if (!bytes.empty()) lanes_[lane].inbox.put(as_bytes(bytes));
}

// Resets an end: its unread bytes are lost, and it cannot write.
void SimConnection::reset_end(int end) {
  receive_buffer_of(end).reset();
  lanes_[end].inbox.pulse_writer();
}

void SimConnection::break_now() {
  world->backend.trace("break", id);
  for (Lane& lane : lanes_) {
    lane.packets.clear();
    lane.bytes_on_the_way = 0;
  }
  reset_end(0);
  reset_end(1);
}

void SimConnection::close(int end) {
  ReceiveBuffer& inbox = receive_buffer_of(end);
  if (!inbox.write_closed) {
    if (inbox.size() != 0) {
      send_reset(end);
    } else if (!lanes_[end].end_sent) {
      send_end(end);
    }
  }
  lanes_[end].sender_gone = true;
  if (gone(1 - end)) world->connections.erase(id);
}

}  // namespace escapement::detail
