#include <escapement/io/http/web_socket/connection.h>

#include <algorithm>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

// The most that is read ahead of a message.
constexpr std::size_t read_ahead = 16 * KiB;
// So often in a row, before others run.
constexpr int read_ahead_rounds = 4;
// A peer takes no less within the limit of time.
constexpr std::size_t progress_min = 1 * KiB;
// The most that is written at once beyond that.
constexpr std::size_t write_size = 64 * KiB;

std::string unmasked_frame(const WebSocketMessage& message) {
  std::string frame;
  append_frame(frame, FrameHead{.kind = message.is_text ? Opcode::text : Opcode::binary}, message.data);
  return frame;
}

}  // namespace

StreamWebSocket::StreamWebSocket(Reactor& reactor, std::unique_ptr<Stream> stream,
                                 const WebSocketLimits& limits,
                                 std::unique_ptr<WebSocketCompressor> compressor)
    : reactor_(reactor),
      limits_(limits),
      stream_(std::move(stream)),
      compressor_(std::move(compressor)),
      parser_(WebSocketRole::server, limits.message_max, compressor_ != nullptr),
      writer_(reactor) {}

StreamWebSocket::StreamWebSocket(Reactor& reactor, std::unique_ptr<Stream> stream,
                                 const WebSocketLimits& limits, std::string first,
                                 std::function<std::uint32_t()> random_bits,
                                 std::unique_ptr<WebSocketCompressor> compressor)
    : reactor_(reactor),
      limits_(limits),
      stream_(std::move(stream)),
      random_bits_(std::move(random_bits)),
      compressor_(std::move(compressor)),
      parser_(WebSocketRole::client, limits.message_max, compressor_ != nullptr),
      input_(std::move(first)),
      writer_(reactor) {}

// A peer that has not got all that was sent sees that the connection broke.
StreamWebSocket::~StreamWebSocket() {
  if (!queue_.empty()) {
    stream_->reset_on_close();
    return;
  }
  auto leaving = [this] { leave(); };
  (void)escapement::detail::catching(leaving);  // random_bits is the user's
}

// A close with bytes unread would take back what was sent.
void StreamWebSocket::leave() {
  if (!close_sent_ && !broken_) {
    Queued last;
    last.frame = frame(Opcode::close, close_payload(code_going_away, {}));
    write_now(last);
  }
  std::array<std::byte, read_ahead> room;
  for (int round = 0; round < read_ahead_rounds; ++round) {
    if (stream_->read_now(room).value_or(0) == 0) return;
  }
}

// --- Receiving.

Task<std::optional<WebSocketMessage>> StreamWebSocket::receive() {
  ESC_CHECK(!receiving_, "two tasks receive from one WebSocket");
  receiving_ = true;
  Defer done([this] { receiving_ = false; });
  if (quiet_since_ == Instant::never()) quiet_since_ = reactor_.precise_now();
  std::optional<WebSocketMessage> message = next_buffered();
  while (!message && !ended()) {
    Result<std::optional<std::size_t>> count = co_await read_until_due().result();
    message = on_read(std::move(count));
    if (std::exchange(took_much_, false)) co_await yield();
  }
  if (!message && failure_) co_await Error(*failure_);
  co_return std::move(message);
}

// As timeout_at, with an instant that changes meanwhile. nullopt: something is due, or the connection broke.
Task<std::optional<std::size_t>> StreamWebSocket::read_until_due() {
  escapement::detail::PromiseBase& self = co_await escapement::detail::this_task;
  Task<std::size_t> read = stream_->read(room_);
  escapement::detail::ChildTask<std::size_t> reading(std::move(read));
  reader_ = &self;
  const Defer done([this] { reader_ = nullptr; });
  reading.start(reactor_, self);
  TimerEntry timer;
  while (!reading.finished()) {
    const Instant next = due();
    if (ended() || reactor_.precise_now() >= next) co_return std::nullopt;
    timer.disarm();
    if (next != Instant::never()) timer.arm(reactor_.timers(), next, self);
    co_await escapement::detail::until_one_is_ready(reading);
  }
  Result<std::size_t> count = reading.take();
  if (!count) co_return std::move(count).error();
  co_return *count;
}

// Called when what the reader waits for has changed.
void StreamWebSocket::look_again() {
  if (reader_ != nullptr) reactor_.ready(*reader_);
}

std::optional<WebSocketMessage> StreamWebSocket::on_read(Result<std::optional<std::size_t>> read) {
  if (read && !*read) {
    if (!ended()) on_silence();
    return std::nullopt;
  }
  const std::size_t count = read ? **read : 0;
  if (count == 0) {
    break_off(read ? Error(Errc::reset, "the WebSocket's connection ended without a close")
                   : std::move(read).error());
    return std::nullopt;
  }
  pinged_ = false;
  quiet_since_ = reactor_.now();
  std::optional<WebSocketMessage> message = take(Bytes(room_).first(count));
  if (!message && count == room_.size()) message = take_more();
  if (!parser_.in_message()) {
    message_began_ = Instant::never();
  } else if (message_began_ == Instant::never()) {
    message_began_ = reactor_.now();
  }
  return message;
}

// The times count from the last byte, not from a call of `receive`: one that is cancelled and called again,
// over and over, does not put them off. A ping that waits for a frame that is being written is left to
// stall_timeout.
Instant StreamWebSocket::quiet_until() const {
  if (close_sent_) return Instant::never();
  return pinged_ ? pong_by_ : quiet_since_ + limits_.ping_every;
}

// Returns when to stop reading and look.
Instant StreamWebSocket::due() const {
  Instant first = std::min(quiet_until(), close_by_);
  if (message_began_ != Instant::never()) first = std::min(first, message_began_ + limits_.message_time);
  return first;
}

void StreamWebSocket::on_silence() {
  const Instant now = reactor_.precise_now();
  if (now >= close_by_) {
    break_off(Error(Errc::timed_out, "the WebSocket's peer did not close"));
  } else if (message_began_ != Instant::never() && now >= message_began_ + limits_.message_time) {
    break_off(Error(Errc::timed_out, "a WebSocket's message took longer than its limit"));
  } else if (now >= quiet_until() && pinged_) {
    break_off(Error(Errc::timed_out, "the WebSocket's peer did not answer a ping"));
  } else if (now >= quiet_until()) {
    pinged_ = true;
    pong_by_ = Instant::never();
    std::string ping = frame(Opcode::ping, {});
    if (queue_.empty()) return put(std::move(ping), Opcode::ping);
    ping_ = std::move(ping);
  }
}

// Takes what has arrived already, as far as one message; of a peer that sends without end, a part. Apart from
// the coroutine, whose frame would keep the room for as long as the connection waits.
std::optional<WebSocketMessage> StreamWebSocket::take_more() {
  std::array<std::byte, read_ahead> room;
  std::optional<WebSocketMessage> message;
  std::size_t taken = room.size();
  for (int round = 0; !message && !ended() && taken == room.size(); ++round) {
    took_much_ = round == read_ahead_rounds;
    if (took_much_) break;
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
    if (parser_.failure() != nullptr) {
      fail(parser_.failure_code(), Error(Errc::bad_message, parser_.failure()));
    }
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
    if (parser_.failure() != nullptr) {
      fail(parser_.failure_code(), Error(Errc::bad_message, parser_.failure()));
    }
  }
  input_ += as_text(bytes);
  return message;
}

std::optional<WebSocketMessage> StreamWebSocket::on_event(FrameEvent event) {
  if (event.compressed) return decompress(std::move(event));
  if (event.kind == Opcode::text) return WebSocketMessage(std::move(event.data));
  if (event.kind == Opcode::binary) return WebSocketMessage::binary(std::move(event.data));
  if (event.kind == Opcode::ping) answer_ping(event.data);
  if (event.kind == Opcode::close) on_close(std::move(event));
  return std::nullopt;
}

std::optional<WebSocketMessage> StreamWebSocket::decompress(FrameEvent event) {
  Result<std::string> data = compressor_->decompress(event.data, limits_.message_max);
  if (!data) {
    const Errc why = data.error().code();
    fail(why == Errc::limit_exceeded ? code_too_big
         : why == Errc::bad_message  ? code_not_utf8
                                     : code_internal,
         std::move(data).error());
    return std::nullopt;
  }
  if (event.kind == Opcode::binary) return WebSocketMessage::binary(*std::move(data));
  if (is_utf8(*data)) return WebSocketMessage(*std::move(data));
  fail(code_not_utf8, Error(Errc::bad_message, "a text is not UTF-8"));
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
  put(frame(Opcode::close, close_payload(code, sendable_reason(std::move(reason)))), Opcode::close,
      ++queued_);
}

// The peer broke the protocol: it is told so, and nothing more is taken from it.
void StreamWebSocket::fail(int code, Error error) {
  if (ended()) return;
  begin_close(code, std::string(error.message()));
  failure_ = code == code_too_big ? Error(Errc::limit_exceeded, error.message()) : std::move(error);
}

// Nothing more comes or goes. What is being written stays where it is until its write has ended. A peer that
// was sent everything, and does not close, may still be receiving it: a reset would take it back.
void StreamWebSocket::break_off(Error error) {
  broken_ = true;
  if (!close_sent_ || !queue_.empty()) stream_->reset_on_close();
  if (peer_code_ == 0) peer_code_ = code_broken;
  if (!failure_) failure_ = error == Errc::reset ? std::move(error) : Error(Errc::reset, error.message());
  written_more_.pulse();
  look_again();
}

Task<> StreamWebSocket::finish(int code) {
  begin_close(code, {});
  co_await flush(queued_);
  Result<> settled = co_await with_timeout(limits_.close_timeout, settle()).result();
  if (!settled) break_off(Error(Errc::reset, "the WebSocket's peer did not close"));
}

Task<> StreamWebSocket::settle() {
  while (!ended()) {
    Result<std::optional<WebSocketMessage>> dropped = co_await receive().result();
    if (!dropped) break;
  }
  if (!failure_ || broken_) co_return;
  // The peer is still sending: a close with bytes unread would take back what it has to be told.
  co_await stream_->shutdown_write();
  for (std::size_t count = 1; count > 0;) count = co_await stream_->read(room_);
}

// --- Sending.

std::string StreamWebSocket::frame(Opcode kind, std::string_view payload, bool compressed) {
  FrameHead head{.kind = kind, .compressed = compressed};
  if (random_bits_) head.mask = random_bits_();
  std::string frame;
  append_frame(frame, head, payload);
  return frame;
}

Result<std::string> StreamWebSocket::message_frame(const WebSocketMessage& message) {
  const Opcode kind = message.is_text ? Opcode::text : Opcode::binary;
  if (!compressor_) return frame(kind, message.data);
  Result<std::optional<std::string>> shorter = compressor_->compress(message.data);
  if (!shorter) return std::move(shorter).error();
  return *shorter ? frame(kind, **shorter, true) : frame(kind, message.data);
}

Task<> StreamWebSocket::send(WebSocketMessage message) {
  if (message.is_text && !is_utf8(message.data)) {
    co_await Error(Errc::invalid_argument, "a WebSocket's text is not UTF-8");
  }
  if (close_sent_ || ended()) co_await Error(Errc::reset, "the WebSocket is closed");
  std::string framed = co_await message_frame(message);
  message.data = std::string();
  const std::uint64_t number = ++queued_;
  put(std::move(framed), Opcode::binary, number);
  co_await until_written(number);
}

// A client's frames differ by their masks.
Task<> StreamWebSocket::send_shared(SharedWebSocketMessage message) {
  if (random_bits_) {
    co_await WebSocket::send_shared(std::move(message));
    co_return;
  }
  Queued queued;
  queued.shared = message.frame(&unmasked_frame);
  queued.kind = Opcode::binary;
  if (!queued.shared) co_await Error(Errc::invalid_argument, "a WebSocket's text is not UTF-8");
  if (close_sent_ || ended()) co_await Error(Errc::reset, "the WebSocket is closed");
  const std::uint64_t number = ++queued_;
  queued.number = number;
  put(std::move(queued));
  co_await until_written(number);
}

Task<> StreamWebSocket::until_written(std::uint64_t number) {
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
  if (queue_.empty()) return put(std::move(pong), Opcode::pong);
  pong_ = std::move(pong);
}

void StreamWebSocket::put(std::string frame, Opcode kind, std::uint64_t number) {
  Queued queued;
  queued.frame = std::move(frame);
  queued.number = number;
  queued.kind = kind;
  put(std::move(queued));
}

void StreamWebSocket::put(Queued queued) {
  if (broken_) return;
  if (queue_.empty()) write_now(queued);
  if (queued.left().empty()) return;
  queue_.push_back(std::move(queued));
  if (std::exchange(writing_, true)) return;
  writer_.spawn(write_queue());
}

void StreamWebSocket::write_now(Queued& queued) {
  queued.begun = true;
  queued.at = stream_->write_now(queued.bytes());
  if (queued.left().empty()) on_written(queued);
}

// The times for an answer count from here: what is queued before may take long.
void StreamWebSocket::on_written(const Queued& queued) {
  written_ = std::max(written_, queued.number);
  if (queued.kind == Opcode::ping) pong_by_ = reactor_.precise_now() + limits_.pong_within;
  if (queued.kind == Opcode::close) close_by_ = reactor_.precise_now() + limits_.close_timeout;
  if (queued.kind == Opcode::ping || queued.kind == Opcode::close) look_again();
}

// Puts a ping or pong that waits before the messages of which nothing was sent. Returns false if the queue is
// empty.
bool StreamWebSocket::next_to_write() {
  if (!queue_.empty() && queue_.front().begun) return true;
  for (std::string* waiting : {&pong_, &ping_}) {
    if (waiting->empty()) continue;
    Queued control;
    control.frame = std::exchange(*waiting, {});
    control.kind = waiting == &ping_ ? Opcode::ping : Opcode::pong;
    queue_.push_front(std::move(control));
  }
  return !queue_.empty();
}

Task<> StreamWebSocket::write_queue() {
  while (!broken_ && next_to_write()) {
    Queued& first = queue_.front();
    first.begun = true;
    // A little within the limit, then what the stream takes at once: a peer that reads slowly is no stall.
    Bytes part = first.left().first(std::min(first.left().size(), progress_min));
    Result<> sent = co_await with_timeout(limits_.stall_timeout, stream_->write(part)).result();
    if (!sent) {
      break_off(std::move(sent).error());
      break;
    }
    first.at += part.size();
    part = first.left().first(std::min(first.left().size(), write_size));
    if (!part.empty()) first.at += stream_->write_now(part);
    if (quiet_since_ != Instant::never())
      quiet_since_ = reactor_.now();  // the peer takes something: it lives
    if (!first.left().empty()) continue;
    on_written(first);
    queue_.pop_front();
    written_more_.pulse();
  }
  writing_ = false;
}

}  // namespace escapement::http::detail
