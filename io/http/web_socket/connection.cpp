#include <escapement/io/http/web_socket/connection.h>

#include <algorithm>

#include <escapement/core/detail/defer.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

// The most that is read ahead of a message, and that is written under one limit of time.
constexpr std::size_t read_ahead = 16 * KiB;
constexpr std::size_t write_size = 64 * KiB;

}  // namespace

StreamWebSocket::StreamWebSocket(Reactor& reactor, std::unique_ptr<Stream> stream,
                                 const WebSocketLimits& limits)
    : reactor_(reactor),
      limits_(limits),
      stream_(std::move(stream)),
      parser_(WebSocketRole::server, limits.message_max),
      writer_(reactor) {}

StreamWebSocket::StreamWebSocket(Reactor& reactor, std::unique_ptr<Stream> stream,
                                 const WebSocketLimits& limits, std::string first,
                                 std::function<std::uint32_t()> random_bits)
    : reactor_(reactor),
      limits_(limits),
      stream_(std::move(stream)),
      random_bits_(std::move(random_bits)),
      parser_(WebSocketRole::client, limits.message_max),
      input_(std::move(first)),
      writer_(reactor) {}

// A peer that has not got all that was sent sees that the connection broke.
StreamWebSocket::~StreamWebSocket() {
  if (!queue_.empty()) stream_->reset_on_close();
  if (!queue_.empty() || close_sent_ || broken_) return;
  Queued last;
  last.frame = frame(Opcode::close, close_payload(code_going_away, {}));
  write_now(last);
}

// --- Receiving.

Task<std::optional<WebSocketMessage>> StreamWebSocket::receive() {
  ESC_CHECK(!receiving_, "two tasks receive from one WebSocket");
  receiving_ = true;
  Defer done([this] { receiving_ = false; });
  if (quiet_since_ == Instant::never()) quiet_since_ = reactor_.precise_now();
  std::optional<WebSocketMessage> message = next_buffered();
  while (!message && !ended()) {
    Result<std::size_t> count = co_await timeout_at(due(), stream_->read(room_)).result();
    message = on_read(std::move(count));
  }
  if (!message && failure_) co_await Error(*failure_);
  co_return std::move(message);
}

std::optional<WebSocketMessage> StreamWebSocket::on_read(Result<std::size_t> count) {
  if (!count && count.error() == Errc::timed_out && count.error().limit() == TimeLimit::operation) {
    on_silence();
    return std::nullopt;
  }
  if (!count || *count == 0) {
    break_off(count ? Error(Errc::reset, "the WebSocket's connection ended without a close")
                    : std::move(count).error());
    return std::nullopt;
  }
  pinged_ = false;
  quiet_since_ = reactor_.now();
  std::optional<WebSocketMessage> message = take(Bytes(room_).first(*count));
  if (!message && *count == room_.size()) message = take_more();
  if (!parser_.in_message()) {
    message_began_ = Instant::never();
  } else if (message_began_ == Instant::never()) {
    message_began_ = reactor_.now();
  }
  return message;
}

// The times count from the last byte, not from a call of `receive`: one that is cancelled and called again,
// over and over, does not put them off.
Instant StreamWebSocket::quiet_until() const {
  if (close_sent_) return Instant::never();
  return quiet_since_ + (pinged_ ? limits_.pong_within : limits_.ping_every);
}

// Returns when to stop reading and look. A writer that breaks off is noticed in a minute at the latest.
Instant StreamWebSocket::due() const {
  Instant first = std::min(quiet_until(), reactor_.now() + Duration(1min));
  if (message_began_ != Instant::never()) first = std::min(first, message_began_ + limits_.message_time);
  return close_sent_ ? std::min(first, close_by_) : first;
}

void StreamWebSocket::on_silence() {
  const Instant now = reactor_.precise_now();
  if (close_sent_ && now >= close_by_) {
    break_off(Error(Errc::timed_out, "the WebSocket's peer did not close"));
  } else if (message_began_ != Instant::never() && now >= message_began_ + limits_.message_time) {
    break_off(Error(Errc::timed_out, "a WebSocket's message took longer than its limit"));
  } else if (now >= quiet_until() && pinged_) {
    break_off(Error(Errc::timed_out, "the WebSocket's peer did not answer a ping"));
  } else if (now >= quiet_until()) {
    pinged_ = true;
    quiet_since_ = now;
    put(frame(Opcode::ping, {}), 0);
  }
}

// Takes what has arrived already, as far as one message. Apart from the coroutine, whose frame would keep the
// room for as long as the connection waits.
std::optional<WebSocketMessage> StreamWebSocket::take_more() {
  std::array<std::byte, read_ahead> room;
  std::optional<WebSocketMessage> message;
  std::size_t taken = room.size();
  while (!message && !ended() && taken == room.size()) {
    const std::optional<std::size_t> count = stream_->read_now(room);
    taken = count.value_or(0);
    if (taken > 0) message = take(Bytes(room).first(taken));
  }
  return message;
}

std::optional<WebSocketMessage> StreamWebSocket::next_buffered() {
  std::optional<WebSocketMessage> message;
  while (!message && !ended() && input_at_ < input_.size()) {
    std::optional<FrameEvent> event;
    input_at_ += parser_.take(as_bytes(std::string_view(input_).substr(input_at_)), event);
    if (event) message = on_event(*std::move(event));
    if (parser_.failure() != nullptr) fail(Error(Errc::bad_message, parser_.failure()));
  }
  if (input_at_ == input_.size()) {
    input_ = std::string();
    input_at_ = 0;
  }
  return message;
}

// Takes bytes as far as the first message; the rest is kept.
std::optional<WebSocketMessage> StreamWebSocket::take(Bytes bytes) {
  std::optional<WebSocketMessage> message;
  while (!message && !ended() && !bytes.empty()) {
    std::optional<FrameEvent> event;
    bytes = bytes.subspan(parser_.take(bytes, event));
    if (event) message = on_event(*std::move(event));
    if (parser_.failure() != nullptr) fail(Error(Errc::bad_message, parser_.failure()));
  }
  input_ += as_text(bytes);
  return message;
}

std::optional<WebSocketMessage> StreamWebSocket::on_event(FrameEvent event) {
  if (event.kind == Opcode::text) return WebSocketMessage(std::move(event.data));
  if (event.kind == Opcode::binary) return WebSocketMessage::binary(std::move(event.data));
  if (event.kind == Opcode::ping) answer_ping(event.data);
  if (event.kind == Opcode::close) on_close(std::move(event));
  return std::nullopt;
}

// The peer sends no more. It gets its own code back.
void StreamWebSocket::on_close(FrameEvent event) {
  peer_code_ = event.code;
  peer_reason_ = std::move(event.data);
  begin_close(peer_code_, {});
}

// --- Ends.

void StreamWebSocket::begin_close(int code, std::string reason) {
  if (close_sent_ || broken_) return;
  close_sent_ = true;
  close_by_ = reactor_.precise_now() + limits_.close_timeout;
  put(frame(Opcode::close, close_payload(code, sendable_reason(std::move(reason)))), ++queued_);
}

// The peer broke the protocol: it is told so, and nothing more is taken from it.
void StreamWebSocket::fail(Error error) {
  if (ended()) return;
  const int code = parser_.failure_code();
  failure_ = code == code_too_big ? Error(Errc::limit_exceeded, error.message()) : std::move(error);
  begin_close(code, parser_.failure());
}

// Nothing more comes or goes. What is being written stays where it is until its write has ended.
void StreamWebSocket::break_off(Error error) {
  broken_ = true;
  stream_->reset_on_close();
  if (peer_code_ == 0) peer_code_ = code_broken;
  if (!failure_) failure_ = error == Errc::reset ? std::move(error) : Error(Errc::reset, error.message());
  written_more_.pulse();
}

Task<> StreamWebSocket::finish(int code) {
  begin_close(code, {});
  Result<> settled = co_await with_timeout(limits_.close_timeout, settle()).result();
  if (!settled) break_off(Error(Errc::reset, "the WebSocket's peer did not close"));
}

Task<> StreamWebSocket::settle() {
  co_await flush(queued_);
  while (!ended()) {
    Result<std::optional<WebSocketMessage>> dropped = co_await receive().result();
    if (!dropped) break;
  }
  co_await flush(queued_);
  if (!failure_ || broken_) co_return;
  // The peer is still sending: a close with bytes unread would take back what it has to be told.
  co_await stream_->shutdown_write();
  for (std::size_t count = 1; count > 0;) count = co_await stream_->read(room_);
}

// --- Sending.

std::string StreamWebSocket::frame(Opcode kind, std::string_view payload) {
  FrameHead head{.kind = kind};
  if (random_bits_) head.mask = random_bits_();
  std::string frame;
  append_frame(frame, head, payload);
  return frame;
}

Task<> StreamWebSocket::send(WebSocketMessage message) {
  if (message.is_text && !is_utf8(message.data)) {
    co_await Error(Errc::invalid_argument, "a WebSocket's text is not UTF-8");
  }
  if (close_sent_ || ended()) co_await Error(Errc::reset, "the WebSocket is closed");
  const std::uint64_t number = ++queued_;
  put(frame(message.is_text ? Opcode::text : Opcode::binary, message.data), number);
  message.data = std::string();
  co_await flush(number);
  if (written_ < number) co_await Error(Errc::reset, "the WebSocket's connection broke");
}

// Waits until the message was written, or never will be.
Task<> StreamWebSocket::flush(std::uint64_t number) {
  while (written_ < number && !broken_) co_await written_more_.wait();
}

// Answers the last one of several pings that come while a frame is being written (RFC 6455 section
// 5.5.3).
void StreamWebSocket::answer_ping(std::string_view payload) {
  if (close_sent_) return;
  std::string pong = frame(Opcode::pong, payload);
  if (queue_.empty()) return put(std::move(pong), 0);
  pong_ = std::move(pong);
}

void StreamWebSocket::put(std::string frame, std::uint64_t number) {
  if (broken_) return;
  Queued queued;
  queued.frame = std::move(frame);
  queued.number = number;
  if (queue_.empty()) write_now(queued);
  if (queued.at == queued.frame.size()) return;
  queue_.push_back(std::move(queued));
  if (std::exchange(writing_, true)) return;
  writer_.spawn(write_queue());
}

void StreamWebSocket::write_now(Queued& queued) {
  queued.begun = true;
  queued.at = stream_->write_now(as_bytes(queued.frame));
  if (queued.at == queued.frame.size()) written_ = std::max(written_, queued.number);
}

Task<> StreamWebSocket::write_queue() {
  while (!queue_.empty() && !broken_) {
    Queued& first = queue_.front();
    if (!first.begun && !pong_.empty()) {
      Queued pong;
      pong.frame = std::exchange(pong_, {});
      queue_.push_front(std::move(pong));
      continue;
    }
    first.begun = true;
    const Bytes part = as_bytes(std::string_view(first.frame).substr(first.at, write_size));
    Result<> sent = co_await with_timeout(limits_.stall_timeout, stream_->write(part)).result();
    if (!sent) {
      break_off(std::move(sent).error());
      break;
    }
    first.at += part.size();
    if (first.at < first.frame.size()) continue;
    written_ = std::max(written_, first.number);
    queue_.pop_front();
    written_more_.pulse();
  }
  writing_ = false;
  if (!pong_.empty() && !broken_) put(std::exchange(pong_, {}), 0);
}

}  // namespace escapement::http::detail
