#include <escapement/io/http/h1/connection.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

using escapement::detail::ChildTask;
using escapement::detail::PromiseBase;
using escapement::detail::suspend_until_ready;
using escapement::detail::this_task;

// The room for output that an ActiveState in a server's pool may keep for the next connection.
constexpr std::size_t out_kept_max = 2 * Http1Connection::coalesce_max;

using escapement::detail::LimitName;
using escapement::detail::timeout_error;

constexpr std::size_t progress_min = 1 * KiB;  // a client sends no less within its stall_timeout
constexpr LimitName sending_stalled{TimeLimit::write, "no progress"};
constexpr LimitName body_stalled{TimeLimit::body, "nothing"};
constexpr LimitName source_stalled{TimeLimit::write, "nothing of the request's body"};

// A failure of the connection with `peer`; says what was being done where our own limit ended it.
Error named(Error error, const LimitName& limit, const char* what, const std::string& peer) {
  if (error.limit() != limit.which) return error;
  return std::move(error).context(what + peer).with_peer(peer);
}

// The next piece of a body, which is on its way as long as this lives.
class NextPiece final : private Runnable {
 public:
  NextPiece(Body& body, PromiseBase& task) : task_(task), reading_(body.read()) {
    reading_.start(task_.reactor(), *this);
  }
  NextPiece(const NextPiece&) = delete;

  bool there() const { return reading_.finished(); }
  // Before the task waits until it is made ready: by this, when the piece is there.
  void wake_task() { waited_for_ = true; }
  Result<std::string> take() { return reading_.take(); }

 private:
  void run() override {
    if (waited_for_) task_.reactor().resume_next(task_);
  }
  const void* code() const override { return task_.code(); }

  PromiseBase& task_;
  ChildTask<std::string> reading_;
  bool waited_for_ = false;
};

}  // namespace

Http1Connection::Http1Connection(Parser::Role role, ParserLimits limits, Duration stall_timeout,
                                 Duration source_timeout)
    : limits_(limits),
      role_(role),
      parser_(role, limits),
      stall_timeout_(stall_timeout),
      source_timeout_(source_timeout) {}

Http1Connection::Http1Connection(Parser::Role role, ParserLimits limits)
    : limits_(limits), role_(role), parser_(role, limits) {}

void Http1Connection::detach() {
  if (!between_messages() || parse_failed_) parser_ = Parser(role_, limits_);
  from_ = to_ = 0;
  out_.clear();
  if (out_.capacity() > out_kept_max) out_ = Output();
  complete_ = true;
  parse_failed_ = ended_ = write_aborted_ = fast_peer_ = false;
  waits_ = nullptr;
  stream_ = nullptr;
}

void Http1Connection::release_buffers() {
  if (!has_unread_bytes()) received_.reset();
  if (out_.empty()) out_ = Output();
}

// --- receiving --------------------------------------------------------------------------------------------

Parser::Event Http1Connection::parse_more() {
  const Parser::Step step = parser_.feed(Bytes(received_.get() + from_, to_ - from_));
  from_ += step.consumed;
  switch (step.event) {
    case Parser::Event::head:
      complete_ = false;
      body_bytes_ = 0;
      break;
    case Parser::Event::bare_head:
      complete_ = true;
      body_bytes_ = 0;
      break;
    case Parser::Event::body: body_bytes_ += parser_.body().size(); break;
    case Parser::Event::complete: complete_ = true; break;
    case Parser::Event::failed: parse_failed_ = true; break;
    case Parser::Event::need_more: break;
  }
  return step.event;
}

Http1Connection::Arrived Http1Connection::receive_now() {
  if (ended_) return Arrived::ask;
  ESC_CHECK(from_ == to_);
  if (!received_) received_ = std::make_unique_for_overwrite<std::byte[]>(read_size);
  const std::optional<std::size_t> count = stream_->read_now(MutableBytes(received_.get(), read_size));
  if (!count) return Arrived::nothing;
  from_ = 0;
  to_ = *count;
  return *count != 0 ? Arrived::bytes : Arrived::ask;
}

Task<bool> Http1Connection::receive() {
  if (ended_) co_return false;
  ESC_CHECK(from_ == to_);
  if (!received_) received_ = std::make_unique_for_overwrite<std::byte[]>(read_size);
  const std::size_t count = co_await stream_->read(MutableBytes(received_.get(), read_size));
  from_ = 0;
  to_ = count;
  ended_ = count == 0;
  co_return !ended_;
}

Task<Parser::Event> Http1Connection::next_event() {
  for (;;) {
    Parser::Event event = parse();
    if (event == Parser::Event::need_more) {
      const bool more = co_await receive();
      if (more) continue;
      event = parser_.finish();
    }
    if (event == Parser::Event::failed) {
      parse_failed_ = true;
      co_return Error(parser_.error());
    }
    co_return event;
  }
}

// A client's: with the limit on waiting without progress. Sending is progress, too: what comes may depend on
// it.
Task<Parser::Event> Http1Connection::next_event_in_time() {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  ChildTask<Parser::Event> next(next_event());
  next.start(reactor, self);
  const bool limited = stall_timeout_ != Duration::max();
  TimerEntry timer;
  Instant since;
  std::optional<std::uint64_t> writes;  // at that time
  while (!next.finished()) {
    if (limited && !timer.armed()) {
      const Instant now = reactor.precise_now();
      if (writes == writes_) {
        next.cancel();
        co_return timeout_error(body_stalled, stall_timeout_, now - since);
      }
      writes = writes_;
      since = now;
      timer.arm(reactor.timers(), since + stall_timeout_, self);
    }
    co_await escapement::detail::until_one_is_ready(next);
  }
  Result<Parser::Event> event = next.take();
  co_return std::move(event);
}

bool Http1Connection::take_whole_response(std::string_view& body) {
  if (!complete_ || from_ == to_ || parse_failed_) return false;
  const std::size_t size = parser_.read_whole_response(Bytes(received_.get() + from_, to_ - from_), body);
  from_ += size;
  return size != 0;
}

std::optional<std::string_view> Http1Connection::take_buffered_body() {
  const std::optional<std::uint64_t> length = parser_.head().content_length;
  if (!length || *length == 0 || *length > to_ - from_) return std::nullopt;
  ESC_CHECK(parse() == Parser::Event::body && parser_.body().size() == *length);
  const std::string_view body = as_text(parser_.body());
  ESC_CHECK(parse() == Parser::Event::complete);
  return body;
}

// The next bytes of the body, if they are here; empty at its end. nullopt: wait for them, or learn the
// failure.
std::optional<std::string> Http1Connection::body_now() {
  for (;;) {
    const Parser::Event event = parse();
    if (event == Parser::Event::body) return std::string(as_text(parser_.body()));
    if (event == Parser::Event::complete) return std::string();
    if (event != Parser::Event::need_more) return std::nullopt;
    const std::optional<std::uint64_t> length = parser_.head().content_length;
    if (length && *length - body_bytes_ >= read_size) return body_into_place(*length - body_bytes_);
    if (receive_now() != Arrived::bytes) return std::nullopt;
  }
}

// Reads bytes of a body of which so many are left to where they stay. More at a time if the last ones filled
// their room.
std::optional<std::string> Http1Connection::body_into_place(std::uint64_t left) {
  if (ended_) return std::nullopt;
  const std::size_t room = fast_peer_ ? large_read_size : read_size;
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(left, room)), '\0');
  const std::size_t count =
      stream_->read_now(MutableBytes(reinterpret_cast<std::byte*>(piece.data()), piece.size())).value_or(0);
  if (count == 0) return std::nullopt;
  fast_peer_ = count == piece.size();
  piece.resize(count);
  const Parser::Step step = parser_.feed(as_bytes(piece));
  ESC_CHECK(step.event == Parser::Event::body && step.consumed == count);
  body_bytes_ += count;
  return piece;
}

Task<std::string> Http1Connection::read_body() {
  if (complete_) co_return std::string();
  Result<Parser::Event> event = Parser::Event::need_more;
  if (waits_ != nullptr) {
    const Defer waited(
        [waits = waits_] { waits->end_wait(Waits::For::body); });  // also where it cannot begin
    waits_->begin_wait(Waits::For::body);
    event = co_await next_event().result();
  } else {
    Reactor& reactor = co_await this_reactor;
    if (turn_is_long(reactor)) co_await yield();
    std::optional<std::string> now = body_now();
    if (now) co_return *std::move(now);
    event = co_await next_event_in_time().result();
  }
  if (!event) {
    co_return named(std::move(event).error(), body_stalled, "reading the body from ", stream_->peer());
  }
  if (*event == Parser::Event::complete) {
    complete_ = true;
    co_return std::string();
  }
  co_return std::string(as_text(parser_.body()));
}

bool Http1Connection::skip_buffered_body(std::size_t most) {
  std::size_t skipped = 0;
  while (!complete_) {
    const Parser::Event event = parse();
    if (event == Parser::Event::body) skipped += parser_.body().size();
    if (event == Parser::Event::failed || event == Parser::Event::need_more || skipped > most) break;
  }
  return complete_;
}

std::string Http1Connection::take_unread_bytes() {
  const std::size_t from = std::exchange(from_, to_);
  return std::string(as_text(Bytes(received_.get() + from, to_ - from)));
}

// --- sending ----------------------------------------------------------------------------------------------

bool Http1Connection::write_some() {
  if (sending_ || write_aborted_) return false;
  const std::size_t sent = stream_->write_now(as_bytes(out_.view()));
  // An encrypted stream may have sent a part of what it has not reported yet.
  const bool may_have_left = sent > 0 || (!out_.empty() && stream_->encrypted() && !stream_->write_closed());
  writes_ += may_have_left ? 1 : 0;
  if (sent != out_.size()) {
    out_.drop_front(sent);
    return false;
  }
  out_.clear();
  return true;
}

Task<> Http1Connection::flush() {
  while (sending_) co_await sent_.wait();
  if (!write_aborted_ && flush_now()) co_return;
  // A write that is cancelled leaves an unknown part sent: nothing may follow it.
  if (std::exchange(write_aborted_, true))
    co_await Error(Errc::reset, "a write before this one was given up");
  sending_ = true;
  const Defer sent([this] {
    sending_ = false;
    sent_.pulse();
  });
  while (!out_.empty()) {
    const Output output = std::move(out_);
    for (std::size_t at = 0; at < output.size(); at += coalesce_max) {
      co_await write_slice(as_bytes(output.view().substr(at, coalesce_max)));
    }
  }
  write_aborted_ = false;
}

template <class T>
Task<T> Http1Connection::send_in_time(Task<T> sending) {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  ChildTask<T> operation(std::move(sending));
  operation.start(reactor, self);
  if (!operation.finished()) {
    ++writes_;
    const Instant began = reactor.precise_now();
    const Instant ends = began + stall_timeout_;
    const bool limited = ends != Instant::never();
    TimerEntry timer;
    if (limited) timer.arm(reactor.timers(), ends, self);
    while (!operation.finished() && timer.armed() == limited) {
      co_await escapement::detail::until_one_is_ready(operation);
    }
    if (!operation.finished()) {
      operation.cancel();
      Error stalled = timeout_error(sending_stalled, stall_timeout_, reactor.precise_now() - began);
      co_await named(std::move(stalled), sending_stalled, "sending to ", stream_->peer());
    }
  }
  Result<T> sent = operation.take();
  if (!sent) co_await named(std::move(sent).error(), sending_stalled, "sending to ", stream_->peer());
  co_return co_await std::move(sent);
}

Task<> Http1Connection::write_slice(Bytes slice) {
  if (waits_ != nullptr) {
    const Defer waited(
        [waits = waits_] { waits->end_wait(Waits::For::sending); });  // also where it cannot begin
    waits_->begin_wait(Waits::For::sending);
    co_await stream_->write(slice);
    co_return;
  }
  // A little within the limit, then what the stream takes at once: a peer that reads slowly is no stall.
  while (!slice.empty()) {
    const Bytes little = slice.first(std::min(slice.size(), progress_min));
    Task<> writing = stream_->write(little);
    co_await send_in_time(std::move(writing));
    ++writes_;
    slice = slice.subspan(little.size());
    if (!slice.empty()) slice = slice.subspan(stream_->write_now(slice));
  }
}

Task<bool> Http1Connection::send_slice_of(FileRange& file) {
  if (waits_ != nullptr) {
    const Defer waited(
        [waits = waits_] { waits->end_wait(Waits::For::sending); });  // also where it cannot begin
    waits_->begin_wait(Waits::For::sending);
    co_return co_await stream_->send_file(file, coalesce_max);
  }
  Task<bool> sending = stream_->send_file(file, coalesce_max);
  const bool sent = co_await send_in_time(std::move(sending));
  if (sent) ++writes_;
  co_return sent;
}

Task<> Http1Connection::send_text(std::string text) {
  out_ += text;
  co_await flush();
}

Task<> Http1Connection::send_bytes(std::string_view bytes) {
  while (!sending_) {
    const std::size_t room = coalesce_max - std::min(coalesce_max, out_.size());
    const std::string_view piece = bytes.substr(0, room);
    out_ += piece;
    bytes.remove_prefix(piece.size());
    if (bytes.empty()) co_return;
    co_await flush();
  }
  out_ += bytes;  // the task that is sending goes on with them
}

Task<> Http1Connection::send_body(Body& body, Framing framing) {
  if (framing == Framing::none) co_return;
  if (body.replayable() && framing != Framing::chunked) co_return co_await send_bytes(body.bytes());
  std::uint64_t sent = 0;
  const std::uint64_t expected = framing == Framing::length ? *body.length() : 0;
  PromiseBase& self = co_await this_task;
  FileRange* const file = framing == Framing::length ? body.file_range() : nullptr;
  if (file != nullptr && file->left > coalesce_max) {
    co_await flush();
    for (bool goes = true; goes && file->left > 0;) goes = co_await send_slice_of(*file);
    sent = expected - file->left;
  }
  for (bool first = true;; first = false) {
    if (!first && turn_is_long(self.reactor())) {
      co_await flush();
      co_await yield();
    }
    NextPiece next(body, self);
    // Pieces that are there at once go out together, and with the head; what has to be waited for holds up
    // none.
    if (!next.there()) co_await flush();
    next.wake_task();
    if (!next.there()) {
      const Instant since = self.reactor().precise_now();
      const bool limited = source_timeout_ != Duration::max();
      TimerEntry limit;
      if (limited) limit.arm(self.reactor().timers(), since + source_timeout_, self);
      while (!next.there() && limit.armed() == limited) co_await suspend_until_ready;
      if (!next.there()) {
        const Duration elapsed = self.reactor().precise_now() - since;
        Error error = timeout_error(source_stalled, source_timeout_, elapsed);
        co_await named(std::move(error), source_stalled, "sending to ", stream_->peer());
      }
    }
    Result<std::string> read = next.take();
    if (!read) co_await flush();
    std::string piece = co_await std::move(read);
    if (piece.empty()) break;
    sent += piece.size();
    if (framing == Framing::length && sent > expected) {
      co_await Error(Errc::invalid_argument, "the body is longer than it said");
    }
    if (out_.size() + piece.size() > coalesce_max) co_await flush();
    if (framing == Framing::chunked) {
      write_chunk(out_, piece);
    } else {
      out_ += piece;
    }
  }
  if (framing == Framing::length && sent != expected) {
    co_await Error(Errc::invalid_argument, "the body is shorter than it said");
  }
  if (framing == Framing::chunked) co_await write_last_chunk(out_, body.trailers());
}

Task<> Http1Connection::send(std::string head, Body& body, Framing framing) {
  out_ += head;
  co_await send_body(body, framing);
  co_await flush();
}

}  // namespace escapement::http::detail
