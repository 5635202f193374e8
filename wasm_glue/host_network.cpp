#include <escapement/wasm_glue/host_network.h>

#include <algorithm>
#include <cstring>

#include <escapement/wasm_glue/detail/packed.h>
#include <escapement/wasm_glue/host_operation.h>

// A socket has the number of the operation that reads from it; esc_host_read reads (abi.h).
extern "C" {
// Opens a connection: a list of host and port. The outcome comes when it is open.
[[clang::import_module("escapement_sockets"), clang::import_name("connect")]]
void esc_sockets_connect(int id, const char* arguments, std::size_t length);
// Puts TLS on socket `socket`, of which nothing is being read, and makes it `id`.
[[clang::import_module("escapement_sockets"), clang::import_name("start_tls")]]
void esc_sockets_start_tls(int id, int socket, const char* host, std::size_t length);
// Sends bytes to socket `socket`. The outcome comes when the host has taken them.
[[clang::import_module("escapement_sockets"), clang::import_name("write")]]
void esc_sockets_write(int id, int socket, const char* bytes, std::size_t length);
// Ends the sending direction of `socket`.
[[clang::import_module("escapement_sockets"), clang::import_name("shutdown")]]
void esc_sockets_shutdown(int id, int socket);
[[clang::import_module("escapement_sockets"), clang::import_name("close")]]
void esc_sockets_close(int socket);
}

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName no_limit{TimeLimit::operation, "nothing"};

using Streams = std::shared_ptr<std::vector<const Stream*>>;

class HostSocket final : public Stream {
 public:
  HostSocket(Reactor& reactor, Streams streams, std::string peer, bool read_ahead)
      : reactor_(reactor),
        reading_(std::make_unique<HostOperation>(reactor)),
        writing_(reactor),
        streams_(std::move(streams)),
        peer_(std::move(peer)),
        read_ahead_(read_ahead) {
    streams_->push_back(this);
  }
  ~HostSocket() override {
    std::erase(*streams_, this);
    esc_sockets_close(socket());
  }

  Task<> connect(std::string host, std::uint16_t port, Duration limit) {
    Packed arguments;
    arguments.add(host).add_number(port);
    esc_sockets_connect(socket(), arguments.data(), arguments.size());
    Result<HostOutcome> opened = co_await reading_->outcome(limit).result();
    if (!opened) co_await std::move(opened).error().context("connect to " + peer_).nothing_sent();
  }
  Task<> start_tls(std::string host, Duration limit) {
    if (encrypted_) co_await Error(Errc::invalid_argument, "the connection is TLS already");
    co_await written();
    if (!received_.empty() || (asked_ && reading_->reply().reported())) {
      co_await Error(Errc::bad_message, "bytes came before TLS that nobody has read");
    }
    if (asked_) co_await Error(Errc::invalid_argument, "TLS cannot begin while something is being read");
    auto encrypted = std::make_unique<HostOperation>(reactor_);
    esc_sockets_start_tls(encrypted->id(), socket(), host.data(), host.size());
    reading_ = std::move(encrypted);
    encrypted_ = true;
    Result<HostOutcome> opened = co_await reading_->outcome(limit).result();
    if (!opened) co_await std::move(opened).error().context("TLS with " + peer_).nothing_sent();
  }

  Task<std::size_t> read_task(MutableBytes into) override {
    ESC_CHECK(!into.empty());
    if (!take_turn()) co_await yield();
    if (received_.empty() && !ended_) {
      ask();
      std::string bytes = co_await reading_->reply().answer(Duration::max(), no_limit);
      asked_ = false;
      received_ = std::move(bytes);
      taken_ = 0;
      ended_ = reading_->reply().status() != 0;
    }
    const std::size_t count = take(into);
    if (read_ahead_ && received_.empty() && !ended_) ask();
    co_return count;
  }
  std::optional<std::size_t> read_now(MutableBytes into) override {
    return received_.empty() ? 0 : take(into);
  }
  // A write that was cancelled has its outcome still to come.
  Task<> write_task(Bytes bytes) override {
    if (!take_turn()) co_await yield();
    co_await written();
    esc_sockets_write(writing_.id(), socket(), reinterpret_cast<const char*>(bytes.data()), bytes.size());
    unfinished_ = true;
    co_await written();
  }
  Task<> shutdown_write() override {
    co_await written();
    esc_sockets_shutdown(writing_.id(), socket());
    unfinished_ = true;
    co_await written();
  }
  bool readable_or_closed() override { return !received_.empty() || ended_ || reading_->reply().reported(); }
  bool encrypted() const override { return encrypted_; }
  std::string peer() const override { return peer_; }

 private:
  int socket() const { return reading_->id(); }
  void ask() {
    asked_ = true;
    if (reading_->reply().must_ask()) esc_host_read(socket());
  }
  std::size_t take(MutableBytes into) {
    const std::size_t count = std::min(received_.size() - taken_, into.size());
    if (count != 0) std::memcpy(into.data(), received_.data() + taken_, count);
    taken_ += count;
    if (taken_ == received_.size()) received_.clear();
    return count;
  }
  Task<> written() {
    if (!unfinished_) co_return;
    HostOutcome done = co_await writing_.outcome(Duration::max());
    unfinished_ = false;
  }

  Reactor& reactor_;
  std::unique_ptr<HostOperation> reading_;
  HostOperation writing_;
  Streams streams_;
  std::string peer_;
  std::string received_;
  std::size_t taken_ = 0;  // of received_
  const bool read_ahead_;
  bool asked_ = false;  // the host is to report what comes next
  bool ended_ = false;
  bool unfinished_ = false;  // a write's outcome is to come
  bool encrypted_ = false;
};

}  // namespace

HostNetwork::HostNetwork(HostNetworkOptions options)
    : options_(options), streams_(std::make_shared<std::vector<const Stream*>>()) {}

Task<std::unique_ptr<Stream>> HostNetwork::connect(std::string host, std::uint16_t port) {
  const std::string peer = host + ':' + std::to_string(port);
  auto socket = std::make_unique<HostSocket>(co_await this_reactor, streams_, peer, options_.read_ahead);
  co_await socket->connect(std::move(host), port, options_.connect_timeout);
  co_return std::unique_ptr<Stream>(std::move(socket));
}

Result<std::unique_ptr<Listener>> HostNetwork::listen(std::string_view) {
  return Error(Errc::unsupported, "a Worker does not listen");
}

http::Encrypt HostNetwork::encrypt() const {
  return [streams = streams_, limit = options_.connect_timeout](
             std::unique_ptr<Stream> stream, std::string host) -> Task<std::unique_ptr<Stream>> {
    return [](Streams all, Duration within, std::unique_ptr<Stream> plain,
              std::string name) -> Task<std::unique_ptr<Stream>> {
      if (std::ranges::find(*all, plain.get()) == all->end()) {
        co_return Error(Errc::unsupported, "the host puts TLS on its own connections alone").nothing_sent();
      }
      co_await static_cast<HostSocket&>(*plain).start_tls(std::move(name), within);
      co_return std::move(plain);
    }(streams, limit, std::move(stream), std::move(host));
  };
}

}  // namespace escapement::wasm
