#include <escapement/io/http/h1/client_exchange.h>

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/io/http/h1/client_states.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

using escapement::detail::PromiseBase;
using escapement::detail::this_task;

namespace {

constexpr Duration idle_margin = 2s;
constexpr std::size_t skip_max = 2 * KiB;  // of a response given up half-way, if it has arrived already

// Returns the time for which an unused connection may be kept: less than the server says that it keeps it.
Duration idle_time(const Headers& headers, Duration most) {
  constexpr std::string_view keep_alive = "keep-alive";
  bool announced = false;
  headers.each([&announced, keep_alive](std::string_view name, std::string_view) {
    announced = announced || (name.size() == keep_alive.size() && equal_ignoring_case(name, keep_alive));
  });
  if (!announced) return most;
  const std::optional<std::string> value = headers.joined(keep_alive);
  const auto seconds = parse_saturated<std::int64_t>(list_parameter(*value, "timeout"));
  return seconds ? std::min(most, Duration(1s) * *seconds - idle_margin) : most;
}

bool expects_continue(const Headers& headers) {
  return !headers.empty() && equal_ignoring_case(headers.get_or("expect", ""), "100-continue");
}

// The request goes out; with Expect: 100-continue its body waits for the server's word, for a while.
Task<> send_slowly(Http1Connection& wire, Body& body, Framing framing, Event& may_continue,
                   Duration patience) {
  if (!may_continue.is_set() && framing != Framing::none) {
    co_await wire.flush();
    Result<> told = co_await with_timeout(patience, may_continue.wait()).result();
    (void)told;  // no word is a word too: send
  }
  co_await wire.send_body(body, framing);
  co_await wire.flush();
}

}  // namespace

// Ends the wait for the response's head, however that ends.
class Http1ClientConnection::Exchange::Waiting {
 public:
  Waiting(Exchange& exchange, PromiseBase& task) : exchange_(exchange) { exchange.task_ = &task; }
  Waiting(const Waiting&) = delete;
  ~Waiting() {
    if (watched_) exchange_.owner_.stream_->watch(exchange_.task_->reactor(), nullptr);
    exchange_.owner_.head_limit_.disarm();
    exchange_.receiving_.reset();
    exchange_.task_ = nullptr;
  }
  // Returns false if the stream cannot watch.
  bool watch() {
    watched_ = exchange_.owner_.stream_->watch(exchange_.task_->reactor(), exchange_.task_);
    return watched_;
  }

 private:
  Exchange& exchange_;
  bool watched_ = false;
};

// Not all went out, or not all of the response was wanted: what follows on such a connection is uncertain.
Http1ClientConnection::Exchange::~Exchange() {
  sending_.reset();
  if (called_ && sent_whole_ && idle_for_ > Duration() && wire().skip_buffered_body(skip_max) &&
      !wire().has_unread_bytes()) {
    owner_.keep_for_ = idle_for_;
  }
  owner_.shared_.http1_states->release(std::move(owner_.state_));
}

// Fails with our own failure to make the request's body: the server waits for the rest of it then, and no
// response will come. A connection that broke is another matter: the response may have arrived before.
Task<> Http1ClientConnection::Exchange::call(OutgoingRequest& outgoing, ResponseHead& response,
                                             CallReport& report) {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  report.sends();
  wire().expect_head(outgoing.request.method == Method::head());
  Waiting waiting(*this, self);
  send(outgoing, reactor);
  for (Found found;;) {
    if (take_sending()) {
      if (sending_failed_ && *sending_failed_ != Errc::reset) co_await *std::move(sending_failed_);
      report.waits_for(TimeLimit::head);
      limited_since_ = reactor.precise_now();
    }
    if (receiving_ && receiving_->finished()) {
      std::optional<Error> ended = take_received();
      if (ended) co_await failure(*std::move(ended));
    }
    found = receiving_ ? Found::nothing : look_for_head(reactor);
    if (found == Found::failed) co_await failure(Error(wire().parse_error()));
    if (found == Found::head && wire().head().status == 101) {
      co_await Error(Errc::bad_message, "the server switched protocols unasked");
    }
    if (found == Found::head || found == Found::response) co_return take_response(found, response);
    if (!receiving_ && (found == Found::ask || !waiting.watch())) {
      receiving_.emplace(wire().receive());
      receiving_->start(reactor, self);
      if (receiving_->finished()) continue;
    }
    std::optional<Error> out_of_time = late(reactor);
    if (out_of_time) co_await *std::move(out_of_time);
    co_await escapement::detail::until_one_is_ready(sending_);
  }
}

void Http1ClientConnection::Exchange::send(OutgoingRequest& outgoing, Reactor& reactor) {
  called_ = true;
  owner_.keep_for_ = Duration();
  body_ = std::move(outgoing.request.body);
  std::swap(wire().out(), outgoing.head);
  const bool asks_first = expects_continue(outgoing.request.headers);
  if (!asks_first) may_continue_.set();
  if (!asks_first && wire().put_body(body_, outgoing.framing)) {
    if (wire().flush_now()) {
      sent_whole_ = true;
      return;
    }
    outgoing.framing = Framing::none;  // it is all in the output
  }
  sending_.emplace(send_slowly(wire(), body_, outgoing.framing, may_continue_,
                               owner_.shared_.options.expect_continue_timeout));
  sending_->start(reactor, *this);
}

// True once, after sending has finished.
bool Http1ClientConnection::Exchange::take_sending() {
  if (!sending_) return sent_whole_ && limited_since_ == Instant::never();
  if (!sending_->finished()) return false;
  Result<> sent = sending_->take();
  sending_.reset();
  sent_whole_ = static_cast<bool>(sent);
  if (!sent) sending_failed_ = std::move(sent).error();
  return true;
}

// Past the interim responses, by which a server says that it is still at work.
Http1ClientConnection::Exchange::Found Http1ClientConnection::Exchange::look_for_head(Reactor& reactor) {
  for (;;) {
    if (wire().take_whole_response(whole_body_)) return Found::response;
    const Parser::Event event = wire().parse();
    if (event == Parser::Event::failed) return Found::failed;
    if (event == Parser::Event::head || event == Parser::Event::bare_head) {
      const int status = wire().head().status;
      if (status >= 200 || status == 101) return Found::head;
      if (status == 100) may_continue_.set();
      if (limited_since_ != Instant::never()) limited_since_ = reactor.precise_now();
    }
    if (event != Parser::Event::need_more) continue;
    const Http1Connection::Arrived arrived = wire().receive_now();
    if (arrived == Http1Connection::Arrived::ask) return Found::ask;
    if (arrived == Http1Connection::Arrived::nothing) return Found::nothing;
    heard_bytes_ = true;
  }
}

std::optional<Error> Http1ClientConnection::Exchange::take_received() {
  Result<bool> more = receiving_->take();
  receiving_.reset();
  if (!more) return std::move(more).error();
  if (*more) {
    heard_bytes_ = true;
    return std::nullopt;
  }
  if (wire().finish() == Parser::Event::failed) return Error(wire().parse_error());
  closed_unanswered_ = true;
  return Error(Errc::reset, owner_.stream_->peer() + " closed the connection without a response");
}

// Returns the failure if the head has not come in time; else sees to it that the task is woken then.
std::optional<Error> Http1ClientConnection::Exchange::late(Reactor& reactor) {
  const Duration limit = owner_.shared_.options.head_timeout;
  if (limited_since_ == Instant::never() || limit == Duration::max() || owner_.head_limit_.armed()) {
    return std::nullopt;
  }
  const Instant ends = limited_since_ + limit;
  if (ends == Instant::never()) return std::nullopt;
  // The clock is read only if the timer may be what has woken the task.
  if (reactor.now() >= ends) {
    const Duration elapsed = reactor.precise_now() - limited_since_;
    return escapement::detail::timeout_error({TimeLimit::head, "no head"}, limit, elapsed)
        .context("waiting for the response of " + owner_.stream_->peer());
  }
  owner_.head_limit_.arm(reactor.timers(), ends, *task_);
  return std::nullopt;
}

Error Http1ClientConnection::Exchange::failure(Error error) {
  if (sending_failed_ && error == Errc::reset) return *std::move(sending_failed_);
  return error;
}

void Http1ClientConnection::Exchange::take_response(Found found, ResponseHead& response) {
  MessageHead& head = wire().head();
  if (head.keep_alive) idle_for_ = idle_time(head.headers, owner_.shared_.options.idle_timeout);
  // A refusal does not want the rest of the body (RFC 9110 section 10.1.1: it may close before reading it).
  if (head.status >= 300) sending_.reset();
  response.status = head.status;
  response.headers = std::move(head.headers);
  response.length = head.content_length;
  response.has_body = head.has_body();
  if (found == Found::head && !response.has_body) wire().skip_buffered_body(0);
  if (found == Found::head && response.has_body) {
    if (const std::optional<std::string_view> all = wire().take_buffered_body()) response.body.emplace(*all);
  } else {
    response.body.emplace(whole_body_);
  }
}

}  // namespace escapement::http::detail
