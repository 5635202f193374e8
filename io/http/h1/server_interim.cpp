// What a handler answers with 1xx: what it tells before its answer, and the 101 that gives its connection to
// another protocol.

#include <algorithm>
#include <cstring>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/io/http/h1/server_connection.h>

namespace escapement::http::detail {

namespace {

// To one request: what clients take (ParserLimits::interim_max).
constexpr int informed_max = 32;

// A stream of which some bytes had been read before it was handed over.
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

std::string_view ServerConnection::peer() {
  if (peer_.empty() && stream_) peer_ = CompactText(stream().peer());
  return peer_;
}

Result<> ServerConnection::inform(int status, const Headers& fields) {
  if (!conversation_ || !conversation_->exchange || conversation_->answer_begun)
    return Error(Errc::cancelled, "the answer has begun");
  if (status == 100 || status == 101) {
    return Error(Errc::invalid_argument, std::to_string(status) + " is not for a handler to tell");
  }
  Exchange& exchange = *conversation_->exchange;
  if (exchange.writing.minor_version == 0) return {};
  if (exchange.informed == informed_max) {
    return Error(Errc::limit_exceeded,
                 "more than " + std::to_string(informed_max) + " informational answers");
  }
  Result<> written = write_interim_head(wire().out(), status, fields);
  if (!written) return written;
  ++exchange.informed;
  flush_soon();
  return {};
}

// A response that may not be sent as a final one. It leaves HTTP, or is replaced by a 500.
ServerConnection::Next ServerConnection::respond_otherwise(Exchange& exchange, Response& response,
                                                           const Error& refused) {
  conversation_->answer_begun = true;
  const Result<> switched = write_switch(exchange, response, refused);
  if (switched) return keep_response(exchange, response);
  tell(switched.error());
  ++server_.statistics_.failed_handlers;
  response = Response(500);
  exchange.writing.keep_alive = false;
  exchange.framing = *write_response_head(wire().out(), response, exchange.writing);
  return keep_response(exchange, response);
}

// The head of an answer that leaves HTTP. Else why it may not be sent.
Result<> ServerConnection::write_switch(const Exchange& exchange, const Response& response,
                                        const Error& refused) {
  if (response.status != 101 || !response.body.takes_over()) return refused;
  const auto fault = [](const char* why) {
    return Error(Errc::invalid_argument, std::string("a 101 ") + why);
  };
  if (exchange.writing.minor_version == 0) return fault("in HTTP/1.0");
  if (!wire().head().upgrade) return fault("that the client did not ask for");
  if (!wire().message_complete() && !wire().skip_buffered_body(0))
    return fault("before the request was read");
  return write_interim_head(wire().out(), response.status, response.headers);
}

// Sends the answer and runs what it leads to. The connection is at its end when that is.
Task<> ServerConnection::hand_over() {
  stop_watching();
  co_await wire().flush();
  // What counts the connection lasts as long as the protocol does, wherever the stream goes.
  const std::optional<Semaphore::Permit> slot = std::exchange(slot_, std::nullopt);
  const Defer gone([&server = server_, peer = stream().peer_host(), counted = slot.has_value()] {
    if (counted) server.leave_peer(peer);
  });
  // It holds what the protocol's task refers to, and whoever wants to know of its end: it goes with this.
  switched_.emplace(*std::move(conversation_->exchange->response));
  std::unique_ptr<Stream> stream = part_with_stream();
  co_await switched_->body.take_over(std::move(stream));
}

// From now on only the end of the task is waited for.
std::unique_ptr<Stream> ServerConnection::part_with_stream() {
  AtWork at_work(*this);
  conversation_->exchange.reset();
  std::string first = wire().take_unread_bytes();
  wire().detach();
  conversation_->clear();
  timer_.disarm();
  timed_ = false;
  unlink();  // what has happened to the stream is not for this
  server_.take_back(std::move(conversation_));
  if (first.empty()) return std::move(stream_);
  return std::make_unique<ContinuedStream>(std::move(stream_), std::move(first));
}

}  // namespace escapement::http::detail

namespace escapement::http {

Result<> inform(const Request& request, int status, const Headers& fields) {
  if (request.server_side == nullptr) return {};
  return request.server_side->inform(status, fields);
}

Result<> early_hints(const Request& request, std::string_view link) {
  return inform(request, 103, Headers{{"Link", link}});
}

}  // namespace escapement::http
