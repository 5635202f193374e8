// A handler's 1xx responses: interim ones, and the 101 that gives the connection to another protocol.

#include <algorithm>
#include <cstring>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/io/http/h1/server_connection.h>

namespace escapement::http::detail {

namespace {

// For one request: as many as clients take (ParserLimits::interim_max).
constexpr int interim_max = 32;

// A stream that continues another one, of which some bytes have been read already.
class ContinuedStream final : public Stream {
 public:
  ContinuedStream(std::unique_ptr<Stream> stream, std::string first)
      : stream_(std::move(stream)), first_(std::move(first)) {}

  std::optional<std::size_t> read_now(MutableBytes into) override {
    if (first_.empty()) return stream_->read_now(into);
    return take_first(into);
  }
  Task<std::size_t> read_task(MutableBytes into) override {
    if (first_.empty()) return stream_->read_task(into);
    return [](ContinuedStream& self, MutableBytes buffer) -> Task<std::size_t> {
      if (!self.take_turn()) co_await yield();
      co_return self.take_first(buffer);
    }(*this, into);
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
  std::string peer() const override { return stream_->peer(); }
  std::optional<HostKey> peer_host() const override { return stream_->peer_host(); }

 private:
  std::size_t take_first(MutableBytes into) {
    const std::size_t count = std::min(into.size(), first_.size() - taken_);
    std::memcpy(into.data(), first_.data() + taken_, count);
    taken_ += count;
    if (taken_ == first_.size()) first_ = std::string();
    return count;
  }

  std::unique_ptr<Stream> stream_;
  std::string first_;  // empty: all of it was taken
  std::size_t taken_ = 0;
};

}  // namespace

std::string_view Http1ServerConnection::peer() {
  if (peer_.empty() && stream_) peer_ = CompactText(stream().peer());
  return peer_;
}

Result<> Http1ServerConnection::inform(int status, const Headers& fields) {
  if (!active_ || !active_->exchange || state_ == State::sending_response)
    return Error(Errc::cancelled, "the response has begun");
  if (status == 100 || status == 101) {
    return Error(Errc::invalid_argument, std::to_string(status) + " is not for a handler to tell");
  }
  Exchange& exchange = *active_->exchange;
  if (exchange.writing.minor_version == 0) return {};
  if (exchange.interim_responses == interim_max) {
    return Error(Errc::limit_exceeded, "more than " + std::to_string(interim_max) + " interim responses");
  }
  Result<> written = write_interim_head(wire().out(), status, fields);
  if (!written) return written;
  ++exchange.interim_responses;
  flush_soon();
  return {};
}

// Sends a response that may not be sent as a final one: it leaves HTTP, or a 500 takes its place.
Http1ServerConnection::Next Http1ServerConnection::send_refused(Exchange& exchange, Response& response,
                                                                const Error& why) {
  enter(State::sending_response);
  const Result<> upgraded = write_upgrade_head(exchange, response, why);
  if (upgraded) return send_slowly(exchange, response);
  report(upgraded.error());
  ++shared_.statistics.failed_handlers;
  response = Response(500);
  exchange.writing.keep_alive = false;
  exchange.framing = *write_response_head(wire().out(), response, exchange.writing);
  return send_slowly(exchange, response);
}

// Writes the head of a response that leaves HTTP. Fails where it may not be sent; with `refused` where it is
// no such response.
Result<> Http1ServerConnection::write_upgrade_head(const Exchange& exchange, const Response& response,
                                                   const Error& refused) {
  if (response.status != 101 || !response.upgrade) return refused;
  const auto fault = [](const char* why) {
    return Error(Errc::invalid_argument, std::string("a 101 ") + why);
  };
  if (exchange.writing.minor_version == 0) return fault("in HTTP/1.0");
  if (!wire().head().upgrade) return fault("that the client did not ask for");
  if (!wire().message_complete() && !wire().skip_buffered_body(0))
    return fault("before the request was read");
  return write_interim_head(wire().out(), response.status, response.headers);
}

// Sends the 101 and runs the protocol that takes over. When that ends the connection has ended.
Task<Http1ServerConnection::TaskEnd> Http1ServerConnection::run_upgrade() {
  unwatch_disconnect();
  co_await wire().flush();
  // The permit and the peer's count last as long as the protocol, wherever the stream goes.
  const std::optional<Semaphore::Permit> permit = std::exchange(permit_, std::nullopt);
  const Defer gone([&shared = shared_, peer = stream().peer_host(), counted = permit.has_value()] {
    if (counted) shared.release_peer(peer);
  });
  // The response holds the callable that the protocol's task refers to, and the body's attachments, which
  // report the end: it lives as long as this connection.
  upgrade_response_ = std::make_unique<Response>(*std::move(active_->exchange->response));
  std::unique_ptr<Stream> stream = release_stream();
  enter(State::upgraded);
  Task<> protocol = (*upgrade_response_->upgrade)(std::move(stream));
  co_await std::move(protocol);
  co_return TaskEnd::close;
}

// Gives everything back but the stream, which is returned. From now on only the end of the task wakes this.
std::unique_ptr<Stream> Http1ServerConnection::release_stream() {
  Busy busy(*this);
  active_->exchange.reset();
  std::string first = wire().take_unread_bytes();
  release_state();
  unlink();  // an event of the stream may have made this ready
  if (first.empty()) return std::move(stream_);
  return std::make_unique<ContinuedStream>(std::move(stream_), std::move(first));
}

}  // namespace escapement::http::detail

namespace escapement::http {

Result<> inform(const Request& request, int status, const Headers& fields) {
  return request.context.inform(status, fields);
}

Result<> early_hints(const Request& request, std::string_view link) {
  return inform(request, 103, Headers{{"Link", link}});
}

}  // namespace escapement::http
