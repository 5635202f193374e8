#include <escapement/io/sim/network.h>

#include <algorithm>
#include <deque>
#include <optional>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/number.h>
#include <escapement/io/sim/detail/connection.h>

namespace escapement {

namespace detail {

namespace {

// One end of a connection.
class SimStream final : public Stream {
 public:
  SimStream(std::shared_ptr<SimConnection> connection, int end, std::string peer)
      : connection_(std::move(connection)), end_(end), peer_(std::move(peer)) {}
  ~SimStream() override {
    if (reset_on_close_) abort();
    connection_->receive_buffer_of(end_).forget_watcher();
    connection_->close(end_);
  }

  Task<std::size_t> read_task(MutableBytes into) override;
  Task<> write_task(Bytes bytes) override;
  Task<> shutdown_write() override;
  bool readable_or_closed() override {
    connection_->catch_up(end_);
    const ReceiveBuffer& inbox = connection_->receive_buffer_of(end_);
    return inbox.size() != 0 || inbox.ended || inbox.write_closed;
  }
  std::string peer() const override { return peer_; }
  // Returns a hash for a host name: enough to tell simulated hosts apart.
  std::optional<HostKey> peer_host() const override {
    std::string_view host = std::string_view(peer_).substr(0, peer_.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (const std::optional<HostKey> address = parse_host_key(host)) return address;
    std::uint64_t number = 14695981039346656037U;  // FNV-1a
    for (const char c : host) number = (number ^ static_cast<unsigned char>(c)) * 1099511628211U;
    HostKey key{};
    for (std::size_t i = 0; i < sizeof number; ++i) key[i] = std::byte(number >> (8 * i) & 255);
    return key;
  }

  std::optional<std::size_t> read_now(MutableBytes into) override;
  std::size_t write_now(Bytes bytes) override;
  bool watch(Reactor& reactor, Runnable* waiter) override {
    connection_->receive_buffer_of(end_).watch(reactor, waiter);
    return true;
  }
  bool write_closed() const override { return connection_->receive_buffer_of(end_).write_closed; }
  bool read_closed() const override { return write_closed() || connection_->receive_buffer_of(end_).ended; }
  void reset_on_close() override { reset_on_close_ = true; }
  void abort() {
    if (!write_closed()) connection_->send_reset(end_);
  }

 private:
  std::size_t take(MutableBytes into);
  Error reset_error() const { return Error(Errc::reset, peer_ + ": connection reset"); }

  std::shared_ptr<SimConnection> connection_;
  const int end_;
  const std::string peer_;
  bool reset_on_close_ = false;
};

Task<std::size_t> SimStream::read_task(MutableBytes into) {
  ESC_CHECK(!into.empty());
  if (!take_turn()) co_await yield();
  ReceiveBuffer& inbox = connection_->receive_buffer_of(end_);
  while (inbox.size() == 0 && !inbox.ended && !inbox.write_closed) {
    ReceiveBuffer::Waiting waiting = inbox.reads();
    co_await waiting.wait();
  }
  if (inbox.write_closed) co_await reset_error();
  co_return take(into);
}

std::size_t SimStream::take(MutableBytes into) {
  SimWorld& world = *connection_->world;
  const std::size_t chunk_max = world.options.chunk_max;
  std::size_t count = into.size();
  if (chunk_max != 0) count = std::min<std::size_t>(count, 1 + world.random.up_to(chunk_max - 1));
  count = connection_->receive_buffer_of(end_).take(into.first(count));
  world.backend.trace("read", connection_->id, count);
  return count;
}

std::optional<std::size_t> SimStream::read_now(MutableBytes into) {
  const ReceiveBuffer& inbox = connection_->receive_buffer_of(end_);
  if (inbox.write_closed || (inbox.ended && inbox.size() == 0)) return 0;
  if (inbox.size() == 0) return std::nullopt;
  return take(into);
}

std::size_t SimStream::write_now(Bytes bytes) {
  std::size_t sent = 0;
  if (write_closed() || connection_->end_sent(end_)) return sent;
  while (sent < bytes.size() && connection_->room(end_) != 0) {
    sent += connection_->send(end_, bytes.subspan(sent));
  }
  return sent;
}

Task<> SimStream::write_task(Bytes bytes) {
  if (!take_turn()) co_await yield();
  for (;;) {
    if (write_closed()) co_await reset_error();
    if (connection_->end_sent(end_)) {
      co_await Error(Errc::reset, peer_ + ": write after shutdown_write");
    }
    bytes = bytes.subspan(write_now(bytes));
    if (bytes.empty()) break;
    ReceiveBuffer::Waiting waiting = connection_->writes(end_);
    co_await waiting.wait();
  }
}

Task<> SimStream::shutdown_write() {
  if (write_closed()) co_await reset_error();
  if (!connection_->end_sent(end_)) connection_->send_end(end_);
}

std::string join_address(std::string_view host, std::uint16_t port) {
  std::string text(host);
  if (host.find(':') != std::string_view::npos) text = "[" + text + "]";
  return text + ":" + std::to_string(port);
}

// Returns the name in lower case, and one name for this machine.
std::string canonical(std::string_view host) {
  std::string name(host);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name == "localhost" ? "127.0.0.1" : name;
}

struct ListenAddress {
  std::string host;  // empty: every host
  std::uint16_t port = 0;
};

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  ListenAddress address;
  const auto port = parse_number<std::uint16_t>(digits);
  if (!port) return std::nullopt;
  address.port = *port;
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return std::nullopt;
  }
  if (host != "0.0.0.0" && host != "::") address.host = canonical(host);
  return address;
}

}  // namespace

class SimListener final : public Listener {
 public:
  SimListener(std::shared_ptr<SimWorld> world, ListenAddress at)
      : world_(std::move(world)), at_(std::move(at)) {
    world_->listeners.emplace(std::pair(at_.host, at_.port), this);
  }
  // Destroys the connections that nobody will accept.
  ~SimListener() override {
    world_->listeners.erase({at_.host, at_.port});
    for (std::unique_ptr<SimStream>& stream : waiting_) stream->abort();
  }

  Task<std::unique_ptr<Stream>> accept() override {
    for (;;) {
      while (waiting_.empty()) co_await arrived_.wait();
      std::unique_ptr<SimStream> stream = std::move(waiting_.front());
      waiting_.pop_front();
      if (!stream->write_closed()) co_return std::unique_ptr<Stream>(std::move(stream));
    }
  }
  std::uint16_t port() const override { return at_.port; }
  std::string address() const override {
    return join_address(at_.host.empty() ? "0.0.0.0" : at_.host, at_.port);
  }

  bool full() const { return waiting_.size() >= world_->options.backlog; }
  void add(std::unique_ptr<SimStream> stream) {
    waiting_.push_back(std::move(stream));
    arrived_.pulse();
  }

 private:
  std::shared_ptr<SimWorld> world_;
  ListenAddress at_;
  std::deque<std::unique_ptr<SimStream>> waiting_;
  Event arrived_;
};

namespace {

// An attempt to connect. The task waits for `answered`; if it is destroyed first, the connection opened for
// it is closed when the response arrives.
struct Dial {
  std::shared_ptr<SimWorld> world;
  std::string host;
  std::uint16_t port;
  std::unique_ptr<Stream> opened;
  Event answered;
};

// Called when the request has arrived at the host. Opens the connection or refuses it, and sends the response
// back.
void answer(const std::shared_ptr<Dial>& dial) {
  SimWorld& world = *dial->world;
  SimListener* listener = world.listener(dial->host, dial->port);
  const bool refused = listener == nullptr || listener->full() || world.hosts[dial->host].faults.refuse ||
                       world.random.one_in(world.options.refuse_one_in);
  if (!refused) {
    auto connection = std::make_shared<SimConnection>(dial->world, dial->host);
    const std::uint16_t from = world.free_port(std::string());
    dial->opened = std::make_unique<SimStream>(connection, 0, join_address(dial->host, dial->port));
    listener->add(std::make_unique<SimStream>(connection, 1, join_address("127.0.0.1", from)));
    world.backend.trace("connect", connection->id);
  }
  world.arrive(dial->host, world.arrival(), [dial, refused] {
    if (refused) dial->world->backend.trace("refuse");
    dial->answered.set();
  });
}

Task<std::unique_ptr<Stream>> connect_in(std::shared_ptr<SimWorld> world, std::string host,
                                         std::uint16_t port) {
  const std::string what = "connect to " + join_address(host, port);
  auto dial = std::make_shared<Dial>();
  dial->world = world;
  dial->host = canonical(host);
  dial->port = port;
  if (!world->exists(dial->host)) {
    co_await Error(Errc::not_found, what + ": no such host").nothing_sent();
  }
  world->arrive(dial->host, world->arrival(), [dial] { answer(dial); });
  co_await dial->answered.wait();
  if (!dial->opened) co_await Error(Errc::unavailable, what + ": connection refused").nothing_sent();
  co_return std::move(dial->opened);
}

}  // namespace

}  // namespace detail

SimNetwork::SimNetwork(SimBackend& backend, Seed seed, SimNetworkOptions options) {
  ESC_CHECK(options.buffer != 0);
  world_ = std::make_shared<detail::SimWorld>(backend, seed, options);
}

SimNetwork::~SimNetwork() { world_->abandon(); }

Task<std::unique_ptr<Stream>> SimNetwork::connect(std::string host, std::uint16_t port) {
  return detail::connect_in(world_, std::move(host), port);
}

Result<std::unique_ptr<Listener>> SimNetwork::listen(std::string_view address) {
  const std::string what = "listen at " + std::string(address);
  std::optional<detail::ListenAddress> at = detail::parse_listen_address(address);
  if (!at) return Error(Errc::invalid_argument, what + ": not HOST:PORT");
  if (at->port == 0) at->port = world_->free_port(at->host);
  if (world_->listeners.contains({at->host, at->port})) {
    return Error(Errc::address_in_use, what + ": address in use");
  }
  if (!at->host.empty()) world_->hosts[at->host].known = true;
  return std::unique_ptr<Listener>(std::make_unique<detail::SimListener>(world_, *std::move(at)));
}

void SimNetwork::set_options(const SimNetworkOptions& options) {
  ESC_CHECK(options.buffer != 0);
  world_->options = options;
}

const SimNetworkOptions& SimNetwork::options() const { return world_->options; }

void SimNetwork::add_host(std::string_view host) { world_->hosts[detail::canonical(host)].known = true; }

void SimNetwork::set_faults(std::string_view host, SimFaults faults) {
  world_->set_faults(detail::canonical(host), faults);
}

void SimNetwork::reset_connections(std::string_view host) {
  const std::string name = detail::canonical(host);
  for (const auto& [id, connection] : world_->connections) {
    if (connection->host == name) connection->break_now();
  }
}

std::size_t SimNetwork::connections() const { return world_->connections.size(); }

}  // namespace escapement
