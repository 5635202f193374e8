#include <escapement/io/http/h1/client_connection.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/core/event.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

using escapement::detail::ChildTask;
using escapement::detail::PromiseBase;
using escapement::detail::this_task;
using escapement::detail::timeout_error;

namespace {

constexpr Duration idle_margin = 2s;
constexpr std::size_t skip_max = 2 * KiB;  // of a response given up half-way, if it has arrived already

ParserLimits limits_of(const ClientOptions& options) {
  ParserLimits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.header_count_max = 1000;
  return limits;
}

// Returns the time for which the server keeps an unused connection, where its Keep-Alive field says so.
std::optional<Duration> announced_keep_alive(const Headers& headers) {
  const std::optional<std::string> value = headers.joined("keep-alive");
  if (!value) return std::nullopt;
  const auto seconds = parse_saturated<std::int64_t>(list_parameter(*value, "timeout"));
  if (!seconds) return std::nullopt;
  return Duration(1s) * *seconds;
}

// The request goes out; with Expect: 100-continue its body waits for the server's word, for a while.
Task<> send_request(Http1Connection& connection, std::string head, Body& body, Framing framing,
                    Event& may_continue, Duration patience) {
  if (!may_continue.is_set() && framing != Framing::none) {
    co_await connection.send_text(std::move(head));
    head.clear();
    Result<> told = co_await with_timeout(patience, may_continue.wait()).result();
    (void)told;  // no word is a word too: send
  }
  co_await connection.send(std::move(head), body, framing);
}

// The final head, past the interim ones. `heard`: when the last of those came.
Task<MessageHead> read_final_head(Http1Connection& connection, bool answers_head, Event& may_continue,
                                  Instant& heard) {
  Reactor& reactor = co_await this_reactor;
  for (;;) {
    MessageHead head = co_await connection.read_head(answers_head);
    if (head.status == 101) co_return Error(Errc::bad_message, "the server switched protocols unasked");
    if (head.status >= 200) co_return std::move(head);
    heard = reactor.precise_now();
    if (head.status == 100) may_continue.set();
    std::string nothing = co_await connection.read_body();
  }
}

}  // namespace

// Sending goes on while the response is read: a response may come early, and may depend on what is still
// being sent.
class Http1ClientConnection::Exchange final : public ClientExchange, private Runnable {
 public:
  explicit Exchange(Http1ClientConnection& owner)
      : owner_(owner), received_before_(owner.connection_.bytes_received()) {
    owner_.keep_for_ = Duration();
    owner_.busy_ = true;
  }
  Exchange(const Exchange&) = delete;
  ~Exchange() override {
    // Not all went out, or not all of the response was wanted: what follows on this connection is uncertain.
    owner_.keep_for_ = sent_whole_ && keeps_alive_ ? idle_for_ : Duration();
    owner_.busy_ = false;
  }

  Task<ResponseHead> call(OutgoingRequest& outgoing, CallReport& report) override;
  bool unanswered() const override { return connection().bytes_received() == received_before_; }
  bool closed_unanswered() const override { return connection().closed_unanswered() && !sending_failed_; }
  Body take_body() override {
    sending_.reset();
    return std::move(body_);
  }
  Task<std::string> read_body() override { return connection().read_body(); }
  Headers take_trailers() override { return connection().take_trailers(); }

 private:
  Http1Connection& connection() const { return owner_.connection_; }
  void on_head(const MessageHead& head);

  // Sending has finished.
  void run() override {
    if (waiting_ != nullptr) return waiting_->reactor().resume_next(*waiting_);
    take_sending();
  }
  // True the first time after sending has finished.
  bool take_sending() {
    if (!sending_ || !sending_->finished()) return false;
    Result<> sent = sending_->take();
    sending_.reset();
    sent_whole_ = static_cast<bool>(sent);
    if (!sent) sending_failed_ = std::move(sent).error();
    return true;
  }

  Http1ClientConnection& owner_;
  std::uint64_t received_before_;
  Body body_;
  Event may_continue_;
  std::optional<ChildTask<void>> sending_;
  std::optional<Error> sending_failed_;
  PromiseBase* waiting_ = nullptr;  // for the head
  Duration idle_for_;
  bool sent_whole_ = false;
  bool keeps_alive_ = false;
};

// Fails with our own failure to make the request's body: the server waits for the
// rest of it then, and no response will come. A connection that broke is another matter: the response may
// have arrived before.
Task<ResponseHead> Http1ClientConnection::Exchange::call(OutgoingRequest& outgoing, CallReport& report) {
  const ClientOptions& options = owner_.options_;
  const Request& request = outgoing.request;
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  if (!equal_ignoring_case(request.headers.get_or("expect", ""), "100-continue")) may_continue_.set();

  body_ = std::move(outgoing.request.body);
  Instant heard;
  ChildTask<MessageHead> reading(
      read_final_head(connection(), request.method == Method::head(), may_continue_, heard));
  sending_.emplace(send_request(connection(), std::string(outgoing.head.view()), body_, outgoing.framing,
                                may_continue_, options.expect_continue_timeout));
  waiting_ = &self;
  const Defer waited([this] { waiting_ = nullptr; });
  report.sends();
  sending_->start(reactor, *this);
  reading.start(reactor, self);
  TimerEntry limit;
  bool limited = false;
  Instant since;
  for (;;) {
    if (take_sending()) {
      if (sending_failed_ && *sending_failed_ != Errc::reset) co_return *std::move(sending_failed_);
      report.waits_for(TimeLimit::head);
      limited = options.head_timeout != Duration::max();
      since = reactor.precise_now();
      if (limited) limit.arm(reactor.timers(), since + options.head_timeout, self);
    }
    if (reading.finished()) break;
    if (limited && !limit.armed()) {
      const Duration length = options.head_timeout;
      since = std::max(since, heard);
      const Duration elapsed = reactor.precise_now() - since;
      if (elapsed >= length) {
        co_return timeout_error({TimeLimit::head, "no head"}, length, elapsed)
            .context("waiting for the response of " + connection().stream().peer());
      }
      limit.arm(reactor.timers(), since + length, self);
    }
    co_await escapement::detail::until_one_is_ready(reading);
  }
  Result<MessageHead> head = reading.take();
  if (!head && sending_failed_ && head.error() == Errc::reset) co_return *std::move(sending_failed_);
  if (!head) co_return std::move(head).error();
  on_head(*head);
  ResponseHead response;
  response.status = head->status;
  response.headers = std::move(head->headers);
  response.has_body = head->has_body();
  response.length = head->content_length;
  co_return std::move(response);
}

void Http1ClientConnection::Exchange::on_head(const MessageHead& head) {
  idle_for_ = owner_.options_.idle_timeout;
  if (const std::optional<Duration> announced = announced_keep_alive(head.headers)) {
    idle_for_ = std::min(idle_for_, *announced - idle_margin);
  }
  keeps_alive_ = head.keep_alive;
  // A refusal does not want the rest of the body (RFC 9110 section 10.1.1: it may close before reading it).
  if (head.status >= 300) sending_.reset();
  if (!head.has_body()) connection().skip_buffered_body(0);
}

Http1ClientConnection::Http1ClientConnection(std::unique_ptr<Stream> stream, const ClientOptions& options)
    : options_(options),
      connection_(std::move(stream), Parser::Role::response, limits_of(options), options.stall_timeout,
                  options.source_timeout) {}

std::unique_ptr<ClientExchange> Http1ClientConnection::begin() {
  ESC_CHECK(has_room());
  return std::make_unique<Exchange>(*this);
}

Duration Http1ClientConnection::keep_for() {
  if (keep_for_ <= Duration() || !connection_.skip_buffered_body(skip_max)) return Duration();
  return connection_.has_unread_bytes() ? Duration() : keep_for_;
}

bool Http1ClientConnection::reuse() {
  keep_for_ = Duration();
  return !connection_.has_unread_bytes() && !connection_.stream().readable_or_closed();
}

}  // namespace escapement::http::detail
