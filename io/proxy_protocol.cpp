#include <escapement/io/proxy_protocol.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/timers/timeout.h>

namespace escapement {

namespace {

constexpr std::size_t piece_size = 512;
constexpr std::string_view any_unix_peer = "unix";
constexpr unsigned ipv4_bits = 96;  // the bits before an IPv4 address in a HostKey

// Addresses that have their first bits in common.
struct AddressRange {
  HostKey host{};
  unsigned bits = 0;

  bool contains(const HostKey& other) const {
    for (unsigned bit = 0; bit < bits; ++bit) {
      const std::byte mask{static_cast<unsigned char>(0x80 >> bit % 8)};
      if ((host[bit / 8] & mask) != (other[bit / 8] & mask)) return false;
    }
    return true;
  }
};

std::optional<AddressRange> parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const std::optional<HostKey> host = parse_host_key(address);
  if (!host || address.find('%') != address.npos) return std::nullopt;
  const unsigned before = address.find(':') == address.npos ? ipv4_bits : 0;
  AddressRange range;
  range.host = *host;
  range.bits = 128;
  if (slash == text.npos) return range;
  const std::optional<unsigned> bits = parse_number<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > 128 - before) return std::nullopt;
  range.bits = before + *bits;
  return range;
}

// The stream behind a header: first the bytes that were read together with it.
class StreamBehindHeader final : public ProxiedStream {
 public:
  StreamBehindHeader(std::unique_ptr<Stream> stream, std::optional<ProxyHeader> header, std::string first)
      : stream_(std::move(stream)), header_(std::move(header)), first_(std::move(first)) {}

  const ProxyHeader* header() const override { return header_ ? &*header_ : nullptr; }
  std::string peer() const override { return named() ? name() : stream_->peer(); }
  std::optional<HostKey> peer_host() const override {
    if (!named()) return stream_->peer_host();
    return is_unix() ? std::nullopt : std::optional<HostKey>(header_->source.host);
  }

  std::optional<std::size_t> read_now(MutableBytes into) override {
    return first_.empty() ? stream_->read_now(into) : take_first(into);
  }
  Task<std::size_t> read_task(MutableBytes into) override {
    return first_.empty() ? stream_->read_task(into) : read_first(into);
  }
  bool readable_or_closed() override { return !first_.empty() || stream_->readable_or_closed(); }

  std::size_t write_now(Bytes bytes) override { return stream_->write_now(bytes); }
  Task<> write_task(Bytes bytes) override { return stream_->write_task(bytes); }
  Task<> shutdown_write() override { return stream_->shutdown_write(); }
  Task<bool> send_file(FileRange& range, std::size_t most) override {
    return stream_->send_file(range, most);
  }
  bool watch(Reactor& reactor, Runnable* waiter) override { return stream_->watch(reactor, waiter); }
  bool write_closed() const override { return stream_->write_closed(); }
  bool read_closed() const override { return stream_->read_closed(); }
  void reset_on_close() override { stream_->reset_on_close(); }
  bool encrypted() const override { return stream_->encrypted(); }
  std::string_view agreed_protocol() const override { return stream_->agreed_protocol(); }
  bool serves(std::string_view host) const override { return stream_->serves(host); }

 private:
  bool named() const { return header_ && header_->names_client(); }
  bool is_unix() const {
    return header_->transport == ProxyTransport::unix_stream ||
           header_->transport == ProxyTransport::unix_datagram;
  }
  std::string name() const { return is_unix() ? "unix:" + header_->source.path : header_->source.text(); }

  std::size_t take_first(MutableBytes into) {
    const std::size_t count = std::min(into.size(), first_.size() - taken_);
    std::memcpy(into.data(), first_.data() + taken_, count);
    taken_ += count;
    if (taken_ == first_.size()) first_ = std::string();
    return count;
  }
  Task<std::size_t> read_first(MutableBytes into) {
    if (!take_turn()) co_await yield();
    co_return take_first(into);
  }

  std::unique_ptr<Stream> stream_;
  const std::optional<ProxyHeader> header_;
  std::string first_;  // empty: all of it was taken
  std::size_t taken_ = 0;
};

struct Received {
  Received(ProxyHeader h, std::string r) : header(std::move(h)), rest(std::move(r)) {}
  ProxyHeader header;
  std::string rest;  // bytes behind the header
};

Task<Received> receive(Stream& stream, std::size_t bytes_max) {
  std::string text;
  std::byte piece[piece_size];
  for (;;) {
    const std::size_t count = co_await stream.read(MutableBytes(piece));
    if (count == 0) co_return Error(Errc::reset, "the connection ended before its PROXY header did");
    text.append(as_text(Bytes(piece, count)));
    std::size_t size = 0;
    std::optional<ProxyHeader> header = co_await parse_proxy_header(as_bytes(text), bytes_max, size);
    if (header) co_return Received(*std::move(header), text.substr(size));
  }
}

}  // namespace

struct ProxyProtocol::State {
  ProxyProtocolOptions options;
  std::vector<AddressRange> trusted;
  bool trusts_unix = false;

  bool trusts(const std::optional<HostKey>& peer) const {
    if (!peer) return trusts_unix;
    return std::any_of(trusted.begin(), trusted.end(),
                       [&](const AddressRange& range) { return range.contains(*peer); });
  }
};

Result<ProxyProtocol> ProxyProtocol::make(ProxyProtocolOptions options) {
  auto state = std::make_shared<State>();
  if (options.trusted.empty()) {
    return Error(Errc::invalid_argument, "the PROXY protocol needs the addresses of the trusted proxies");
  }
  if (options.pending_max == 0) {
    return Error(Errc::invalid_argument, "the PROXY protocol: pending_max must be at least 1");
  }
  for (const std::string& text : options.trusted) {
    if (text == any_unix_peer) {
      state->trusts_unix = true;
      continue;
    }
    const std::optional<AddressRange> range = parse_range(text);
    if (!range) {
      return Error(
          Errc::invalid_argument,
          '"' + text.substr(0, 100) + "\" is no address, no network as 10.0.0.0/8, and not \"unix\"");
    }
    state->trusted.push_back(*range);
  }
  state->options = std::move(options);
  return ProxyProtocol(std::move(state));
}

Task<std::unique_ptr<ProxiedStream>> ProxyProtocol::accept(std::unique_ptr<Stream> stream) const {
  return accept_with(state_, std::move(stream));
}

Task<std::unique_ptr<ProxiedStream>> ProxyProtocol::accept_with(std::shared_ptr<const State> state,
                                                                std::unique_ptr<Stream> stream) {
  const std::string peer = stream->peer();
  if (!state->trusts(stream->peer_host())) {
    if (state->options.untrusted == UntrustedPeers::direct) {
      co_return std::make_unique<StreamBehindHeader>(std::move(stream), std::nullopt, std::string());
    }
    stream->reset_on_close();
    co_return Error(Errc::permission_denied, peer + " is no trusted proxy").with_peer(peer);
  }
  const detail::LimitName limit{TimeLimit::handshake, "no PROXY header"};
  Result<Received> received =
      co_await detail::within(state->options.timeout, limit, receive(*stream, state->options.bytes_max))
          .result();
  if (!received) {
    stream->reset_on_close();
    co_return std::move(received).error().context("a connection from " + peer).with_peer(peer);
  }
  co_return std::make_unique<StreamBehindHeader>(std::move(stream), std::move(received->header),
                                                 std::move(received->rest));
}

// Accepts in the background and reads the headers of many connections at once.
class ProxyProtocol::ProxyListener final : public Listener {
 public:
  ProxyListener(std::shared_ptr<const State> state, std::unique_ptr<Listener> inner)
      : state_(std::move(state)), inner_(std::move(inner)) {}

  Task<std::unique_ptr<Stream>> accept() override {
    Reactor& reactor = co_await this_reactor;
    if (!scope_) scope_.emplace(reactor, nullptr);
    for (;;) {
      if (!ready_.empty()) {
        std::unique_ptr<Stream> stream = std::move(ready_.front());
        ready_.pop_front();
        room_.pulse();
        co_return std::move(stream);
      }
      if (failure_) {
        const Error failure = *std::exchange(failure_, std::nullopt);
        co_return failure;
      }
      if (!std::exchange(accepting_, true)) scope_->spawn(accept_all());
      co_await changed_.wait();
    }
  }

  std::uint16_t port() const override { return inner_->port(); }
  std::string address() const override { return inner_->address(); }

 private:
  // Ends with the first failure, which `accept` reports before it begins anew.
  Task<> accept_all() {
    const Defer ended([this] {
      accepting_ = false;
      changed_.pulse();
    });
    for (;;) {
      while (reading_ + ready_.size() >= state_->options.pending_max) co_await room_.wait();
      Result<std::unique_ptr<Stream>> stream = co_await inner_->accept().result();
      if (!stream) {
        failure_ = std::move(stream).error();
        co_return;
      }
      ++reading_;
      scope_->spawn(read_header(*std::move(stream)));
    }
  }

  Task<> read_header(std::unique_ptr<Stream> stream) {
    const Defer ended([this] {
      --reading_;
      room_.pulse();
      changed_.pulse();
    });
    Result<std::unique_ptr<ProxiedStream>> proxied = co_await accept_with(state_, std::move(stream)).result();
    if (proxied) {
      ready_.push_back(*std::move(proxied));
    } else if (state_->options.on_failure) {
      state_->options.on_failure(proxied.error());
    }
  }

  const std::shared_ptr<const State> state_;
  const std::unique_ptr<Listener> inner_;
  std::deque<std::unique_ptr<Stream>> ready_;
  std::optional<Error> failure_;
  std::size_t reading_ = 0;
  bool accepting_ = false;
  Event changed_;               // pulsed when there is something for `accept`
  Event room_;                  // pulsed when there may be room for another connection
  std::optional<Scope> scope_;  // last: its tasks use all of the above
};

std::unique_ptr<Listener> ProxyProtocol::wrap(std::unique_ptr<Listener> listener) const {
  return std::make_unique<ProxyListener>(state_, std::move(listener));
}

Task<> write_proxy_header(Stream& stream, ProxyHeader header) {
  const std::string bytes = co_await proxy_header_bytes(header);
  co_await stream.write(as_bytes(bytes));
}

}  // namespace escapement
