#include <escapement/io/http/client.h>

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/core/event.h>
#include <escapement/io/http/detail/client_pool.h>
#include <escapement/io/http/detail/progress.h>
#include <escapement/io/http/h1/connection.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

using escapement::detail::ChildTask;
using escapement::detail::LimitName;
using escapement::detail::PromiseBase;
using escapement::detail::suspend_until_ready;
using escapement::detail::this_task;
using escapement::detail::timeout_error;
using escapement::detail::within;

namespace {

constexpr Duration idle_margin = 2s;

ParserLimits limits_of(const ClientOptions& options) {
  ParserLimits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.header_count_max = 1000;
  return limits;
}

// For how long the server keeps an unused connection, where its Keep-Alive field says so.
std::optional<Duration> announced_keep_alive(const Headers& headers) {
  const std::optional<std::string> value = headers.joined("keep-alive");
  if (!value) return std::nullopt;
  const auto seconds = parse_saturated<std::int64_t>(list_parameter(*value, "timeout"));
  if (!seconds) return std::nullopt;
  return Duration(1s) * *seconds;
}

// Tells the call's CallProgress, where there is one, what the call does. Nobody tells it more when the call
// is destroyed: it was given up there.
class Report {
 public:
  explicit Report(const Request& request) : progress_(request.progress) {
    if (!progress_) return;
    progress_->reported = true;
    progress_->closed_unanswered = false;
    progress_->attempt = request.attempt;
  }
  Report(const Report&) = delete;

  void waits_for(TimeLimit what) {
    if (progress_) progress_->waits_for = what;
  }
  void sends() {
    if (!progress_) return;
    progress_->waits_for = TimeLimit::write;
    progress_->maybe_sent = true;
  }
  void closed_unanswered() {
    if (progress_) progress_->closed_unanswered = true;
  }

 private:
  std::shared_ptr<CallProgress> progress_;
};

// A failure, with whom it was about and which attempt it was.
Error told(Error error, const std::string& origin, int attempt) {
  error = std::move(error).with_peer(origin);
  if (attempt != 0) error = std::move(error).in_attempt(attempt);
  return error;
}

Task<std::unique_ptr<Stream>> open_stream(Pool& pool, Url url, Report& report, Instant began) {
  const Duration limit = pool.options.connect_timeout;
  report.waits_for(TimeLimit::connect);
  std::unique_ptr<Stream> stream = co_await pool.network.connect_within(limit, url.host(), url.port());
  if (url.scheme() != "https") co_return std::move(stream);
  report.waits_for(TimeLimit::handshake);
  Task<std::unique_ptr<Stream>> handshake = pool.options.encrypt(std::move(stream), url.host());
  Result<std::unique_ptr<Stream>> encrypted =
      co_await within(limit, {TimeLimit::handshake, "not finished"}, std::move(handshake), began).result();
  if (!encrypted && encrypted.error().limit() == TimeLimit::handshake && encrypted.error().peer().empty()) {
    co_return std::move(encrypted).error().context("TLS handshake with " + url.host()).nothing_sent();
  }
  co_return std::move(encrypted);
}

// A new connection. Where descriptors or memory have run out, the idle ones are closed for it, oldest first.
Task<std::unique_ptr<Connection>> connect(Pool& pool, Url url, Report& report) {
  if (url.scheme() == "https" && !pool.options.encrypt) {
    co_return Error(Errc::unsupported, "https is not available: this client was made without TLS")
        .nothing_sent();
  }
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  Result<std::unique_ptr<Stream>> stream = co_await open_stream(pool, url, report, began).result();
  while (!stream && stream.error() == Errc::overloaded && pool.close_oldest_idle()) {
    stream = co_await open_stream(pool, url, report, began).result();
  }
  if (!stream) co_return std::move(stream).error();
  ++pool.made;
  co_return std::make_unique<Connection>(*std::move(stream), Parser::Role::response, limits_of(pool.options),
                                         pool.options.stall_timeout, pool.options.source_timeout);
}

Task<Semaphore::Permit> acquire(Semaphore& slots) {
  Semaphore::Permit slot = co_await slots.acquire();
  co_return std::move(slot);
}

// Waits until the origin may have one more connection.
Task<Semaphore::Permit> slot_for(Pool& pool, Lease& lease) {
  Task<Semaphore::Permit> acquiring = acquire(lease.origin().slots);
  const LimitName limit{TimeLimit::queue, "none became free"};
  Result<Semaphore::Permit> slot =
      co_await within(pool.options.queue_timeout, limit, std::move(acquiring)).result();
  if (slot) co_return std::move(slot);
  co_return std::move(slot).error().context("waiting for a connection to " + lease.name()).nothing_sent();
}

Task<std::unique_ptr<Lease>> lease_for(std::shared_ptr<Pool> pool, Url url, bool fresh, Report& report) {
  Reactor& reactor = co_await this_reactor;
  auto lease = std::make_unique<Lease>(pool, reactor, url.origin());
  report.waits_for(TimeLimit::queue);
  Semaphore::Permit slot = co_await slot_for(*pool, *lease);
  lease->slot.emplace(std::move(slot));
  if (!fresh) lease->connection = pool->take_idle(lease->origin());
  lease->reused = lease->connection != nullptr;
  if (!lease->reused) lease->connection = co_await connect(*pool, std::move(url), report);
  co_return std::move(lease);
}

// The request goes out; with Expect: 100-continue its body waits for the server's word, for a while.
Task<> send_request(Connection& connection, std::string head, Body& body, Framing framing,
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
Task<MessageHead> read_final_head(Connection& connection, bool answers_head, Event& may_continue,
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

// One request on its way and its answer. Sending goes on while the answer is read: an answer may come early,
// and may depend on what is still being sent.
class Exchange final : public Runnable {
 public:
  Exchange(std::unique_ptr<Lease> lease, Request& request)
      : lease_(std::move(lease)),
        received_before_(lease_->connection->bytes_received()),
        body_(std::move(request.body)),
        attempt_(request.attempt) {}
  Exchange(const Exchange&) = delete;
  ~Exchange() {
    // Not all went out, or not all of the answer was wanted: what follows on this connection is uncertain.
    lease_->reusable = sent_whole_ && answer_keeps_alive_;
  }

  Connection& connection() { return *lease_->connection; }
  bool reused() const { return lease_->reused; }
  const std::string& origin() const { return lease_->name(); }
  int attempt() const { return attempt_; }
  // The body back, to send it again. Sending leaves bytes in memory as they are.
  Body take_body() {
    sending_.reset();
    return std::move(body_);
  }
  // Whether the connection ended, or broke, before a byte of the answer came.
  bool unanswered() { return connection().bytes_received() == received_before_; }
  // Whether the call failed because the server closed instead of answering.
  bool closed_unanswered() { return connection().closed_unanswered() && !sending_failed_; }

  // `head`: of the request, as it is sent.
  Task<MessageHead> run(const Request& request, std::string head, Framing framing,
                        const ClientOptions& options, Report& report);
  void answered(const MessageHead& head, const ClientOptions& options);

  // Sending has finished.
  void run() override {
    if (waiting_ != nullptr) return waiting_->reactor().resume_next(*waiting_);
    take_sending();
  }

 private:
  // True the first time after sending has finished.
  bool take_sending() {
    if (!sending_ || !sending_->finished()) return false;
    Result<> sent = sending_->take();
    sending_.reset();
    sent_whole_ = static_cast<bool>(sent);
    if (!sent) sending_failed_ = std::move(sent).error();
    return true;
  }

  std::unique_ptr<Lease> lease_;
  std::uint64_t received_before_;
  Body body_;
  int attempt_;
  Event may_continue_;
  std::optional<ChildTask<void>> sending_;
  std::optional<Error> sending_failed_;
  PromiseBase* waiting_ = nullptr;  // for the head
  bool sent_whole_ = false;
  bool answer_keeps_alive_ = false;
};

// Yields the answer's head. Fails with our own failure to make the request's body: the server waits for the
// rest of it then, and no answer will come. A connection that broke is another matter: the answer may have
// arrived before.
Task<MessageHead> Exchange::run(const Request& request, std::string head, Framing framing,
                                const ClientOptions& options, Report& report) {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  if (!equal_ignoring_case(request.headers.get_or("expect", ""), "100-continue")) may_continue_.set();

  Instant heard;
  ChildTask<MessageHead> reading(
      read_final_head(connection(), request.method == Method::head(), may_continue_, heard));
  sending_.emplace(send_request(connection(), std::move(head), body_, framing, may_continue_,
                                options.expect_continue_timeout));
  waiting_ = &self;
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
    co_await suspend_until_ready;
  }
  waiting_ = nullptr;
  Result<MessageHead> answer = reading.take();
  if (!answer && sending_failed_ && answer.error() == Errc::reset) co_return *std::move(sending_failed_);
  co_return std::move(answer);
}

void Exchange::answered(const MessageHead& head, const ClientOptions& options) {
  lease_->idle_for = options.idle_timeout;
  if (const std::optional<Duration> announced = announced_keep_alive(head.headers)) {
    lease_->idle_for = std::min(lease_->idle_for, *announced - idle_margin);
  }
  answer_keeps_alive_ = head.keep_alive;
  // A refusal does not want the rest of the body (RFC 9110 section 10.1.1: it may close before reading it).
  if (head.status >= 300) sending_.reset();
}

// The body of a response, read from its connection as it is asked for.
class ResponseBody final : public BodySource {
 public:
  ResponseBody(std::unique_ptr<Exchange> exchange, std::optional<std::uint64_t> length)
      : exchange_(std::move(exchange)), length_(length) {}

  Task<std::string> read() override {
    if (!exchange_) co_return std::string();
    Result<std::string> read = co_await exchange_->connection().read_body().result();
    if (!read) co_return told(std::move(read).error(), exchange_->origin(), exchange_->attempt());
    std::string bytes = *std::move(read);
    if (bytes.empty()) {
      trailers_ = exchange_->connection().take_trailers();
      exchange_.reset();
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return std::move(trailers_); }

 private:
  std::unique_ptr<Exchange> exchange_;
  std::optional<std::uint64_t> length_;
  Headers trailers_;
};

Response make_response(std::unique_ptr<Exchange> exchange, MessageHead head, const ClientOptions& options) {
  exchange->answered(head, options);
  Response response(head.status, std::move(head.headers), Body());
  if (head.has_body()) {
    response.body = Body(std::make_unique<ResponseBody>(std::move(exchange), head.content_length));
  } else {
    exchange->connection().skip_buffered_body(0);
  }
  return response;
}

Task<Response> call(std::shared_ptr<Pool> pool, Request request) {
  const bool repeatable = request.body.replayable() && idempotent(request.method, request.headers);
  Output head;  // before anything is connected: a request that cannot be sent needs no connection
  const Framing framing = co_await write_request_head(head, request, RequestOptions());
  Report report(request);
  bool fresh = false;
  for (;;) {
    Result<std::unique_ptr<Lease>> lease = co_await lease_for(pool, request.url, fresh, report).result();
    if (!lease) report.waits_for(TimeLimit::none);
    if (!lease) co_return told(std::move(lease).error(), request.url.origin(), request.attempt);
    auto exchange = std::make_unique<Exchange>(*std::move(lease), request);
    Result<MessageHead> answer =
        co_await exchange->run(request, std::string(head.view()), framing, pool->options, report).result();
    report.waits_for(TimeLimit::none);
    if (answer) co_return make_response(std::move(exchange), *std::move(answer), pool->options);
    // A kept connection that the server closed meanwhile says nothing about the request: once more, afresh.
    const bool stale = exchange->reused() && answer.error() == Errc::reset && exchange->unanswered();
    if (!stale || !repeatable) {
      if (exchange->closed_unanswered()) report.closed_unanswered();
      co_return told(std::move(answer).error(), exchange->origin(), exchange->attempt());
    }
    request.body = exchange->take_body();
    fresh = true;
  }
}

}  // namespace

}  // namespace detail

Client::Client(Network& network, ClientOptions options)
    : pool_(std::make_shared<detail::Pool>(network, std::move(options))) {}

Task<Response> Client::operator()(Request request) const { return detail::call(pool_, std::move(request)); }

std::size_t Client::idle_connections() const { return pool_->idle(); }

std::size_t Client::origins() const { return pool_->origins(); }

std::uint64_t Client::connections_made() const { return pool_->made; }

}  // namespace escapement::http
