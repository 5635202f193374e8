#include <escapement/io/http/connection.h>

#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

constexpr std::size_t read_size = 16 * KiB;
// A body in memory up to this size goes out with its head, in one write.
constexpr std::size_t joined_max = 64 * KiB;

Error stalled(Error error, const char* what) {
  return error.code() == Errc::timed_out ? std::move(error).context(what) : std::move(error);
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, Parser::Role role, ParserLimits limits,
                       Duration stall_timeout)
    : stream_(std::move(stream)), parser_(role, limits), stall_timeout_(stall_timeout) {}

// Appends what arrives to unread_; false at the end.
Task<bool> Connection::receive() {
  if (ended_) co_return false;
  unread_.erase(0, std::exchange(unread_from_, 0));
  // Room for the read; what was not filled goes again, also when the read is cancelled.
  class Room {
   public:
    explicit Room(std::string& buffer) : buffer_(buffer), filled_(buffer.size()) {
      buffer_.resize(filled_ + read_size);
    }
    Room(const Room&) = delete;
    ~Room() { buffer_.resize(filled_); }
    MutableBytes bytes() { return {reinterpret_cast<std::byte*>(buffer_.data()) + filled_, read_size}; }
    void fill(std::size_t count) { filled_ += count; }

   private:
    std::string& buffer_;
    std::size_t filled_;
  };
  Room room(unread_);
  const std::size_t count = co_await stream_->read(room.bytes());
  room.fill(count);
  ended_ = count == 0;
  co_return !ended_;
}

// The buffer is given back while a connection is idle.
Task<bool> Connection::wait_for_message() {
  ESC_CHECK(complete_);
  if (has_unread_bytes()) co_return true;
  unread_ = std::string();
  unread_from_ = 0;
  co_return co_await receive();
}

Task<Parser::Event> Connection::next_event() {
  for (;;) {
    const std::string_view unread = std::string_view(unread_).substr(unread_from_);
    const Parser::Step step = parser_.feed(as_bytes(unread));
    unread_from_ += step.consumed;
    Parser::Event event = step.event;
    if (event == Parser::Event::need_more) {
      const bool more = co_await receive();
      if (more) continue;
      event = parser_.finish();
      if (event == Parser::Event::need_more) {
        co_return Error(Errc::reset, stream_->peer() + " closed the connection without an answer");
      }
    }
    if (event == Parser::Event::failed) {
      parse_failed_ = true;
      co_return Error(parser_.error());
    }
    co_return event;
  }
}

Task<MessageHead> Connection::read_head(bool answers_head) {
  ESC_CHECK(complete_);
  parser_.expect_no_body(answers_head);
  complete_ = false;
  for (;;) {
    const Parser::Event event = co_await next_event();
    if (event == Parser::Event::head) co_return std::move(parser_.head());
  }
}

Task<std::string> Connection::read_body() {
  if (complete_) co_return std::string();
  Result<Parser::Event> event = co_await with_timeout(stall_timeout_, next_event()).result();
  if (!event) co_return stalled(std::move(event).error(), "reading the body");
  if (*event == Parser::Event::complete) {
    complete_ = true;
    co_return std::string();
  }
  co_return std::string(as_text(parser_.body()));
}

bool Connection::skip_buffered_body(std::size_t most) {
  std::size_t skipped = 0;
  while (!complete_) {
    const Parser::Step step = parser_.feed(as_bytes(std::string_view(unread_).substr(unread_from_)));
    unread_from_ += step.consumed;
    if (step.event == Parser::Event::complete) complete_ = true;
    if (step.event == Parser::Event::body) skipped += parser_.body().size();
    if (step.event == Parser::Event::failed || step.event == Parser::Event::need_more || skipped > most)
      break;
  }
  return complete_;
}

// In slices, so that the limit is on progress and not on the whole.
Task<> Connection::send_text(std::string text) {
  for (std::size_t at = 0; at < text.size(); at += joined_max) {
    const std::string_view slice = std::string_view(text).substr(at, joined_max);
    Result<> sent = co_await with_timeout(stall_timeout_, stream_->write(as_bytes(slice))).result();
    if (!sent) co_await stalled(std::move(sent).error(), "sending");
  }
}

Task<> Connection::send(std::string head, Body& body, Framing framing) {
  if (framing == Framing::none) {
    co_await send_text(std::move(head));
    co_return;
  }
  std::uint64_t sent = 0;
  std::string out = std::move(head);
  const std::uint64_t expected = framing == Framing::length ? *body.length() : 0;
  // Bytes in memory are there at once and go with the head; what streams may come late, the head does not.
  if (!body.replayable()) {
    co_await send_text(std::move(out));
    out.clear();
  }
  for (;;) {
    std::string piece = co_await body.read();
    if (piece.empty()) break;
    sent += piece.size();
    if (framing == Framing::length && sent > expected) {
      co_await Error(Errc::invalid_argument, "the body is longer than it said");
    }
    if (framing == Framing::chunked) {
      write_chunk(out, piece);
    } else if (out.size() + piece.size() > joined_max) {
      if (!out.empty()) co_await send_text(std::move(out));
      out = std::move(piece);
    } else {
      out += piece;
    }
    co_await send_text(std::move(out));
    out.clear();
  }
  if (framing == Framing::length && sent != expected) {
    co_await Error(Errc::invalid_argument, "the body is shorter than it said");
  }
  if (framing == Framing::chunked) write_last_chunk(out, body.trailers());
  if (!out.empty()) co_await send_text(std::move(out));
}

}  // namespace escapement::http::detail
