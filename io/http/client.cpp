#include <escapement/io/http/client.h>

#include <algorithm>
#include <charconv>
#include <map>

#include <escapement/core/event.h>
#include <escapement/io/http/connection.h>
#include <escapement/io/http/progress.h>
#include <escapement/io/http/writer.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

using escapement::detail::catching;
using escapement::detail::PromiseBase;
using escapement::detail::Started;
using escapement::detail::this_task;
using escapement::detail::timeout_error;
using escapement::detail::until_made_ready;
using escapement::detail::within;

namespace {

constexpr std::size_t skip_max = 2 * KiB;  // of a response given up half-way, if it has arrived already
constexpr Duration idle_margin = 2s;

ParserLimits limits_of(const ClientOptions& options) {
  ParserLimits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.header_count_max = 1000;
  return limits;
}

// "timeout=5, max=100" in Keep-Alive: for how long the server keeps an unused connection.
std::optional<Duration> announced_keep_alive(const Headers& headers) {
  std::string_view value = headers.get_or("keep-alive", "");
  const std::size_t at = value.find("timeout=");
  if (at == value.npos) return std::nullopt;
  value.remove_prefix(at + 8);
  std::int64_t seconds = 0;
  const std::from_chars_result read = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (read.ec != std::errc() || seconds < 0) return std::nullopt;
  return Duration(1s) * seconds;
}

// Tells the call's CallProgress, where there is one, what the call does. Nobody tells it more when the call
// is destroyed: it was given up there.
class Report {
 public:
  explicit Report(const Request& request) : progress_(request.progress) {
    if (!progress_) return;
    progress_->reported = true;
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

 private:
  std::shared_ptr<CallProgress> progress_;
};

// A failure, with whom it was about and which attempt it was.
Error told(Error error, const std::string& origin, int attempt) {
  error = std::move(error).with_peer(origin);
  if (attempt != 0) error = std::move(error).in_attempt(attempt);
  return error;
}

}  // namespace

// An open connection nobody uses, with the timer that ends it.
class IdleConnection final : public Runnable {
 public:
  IdleConnection(Pool& pool, std::string origin, std::unique_ptr<Connection> c)
      : connection(std::move(c)), pool_(pool), origin_(std::move(origin)) {}
  void run() override;  // idle for too long

  std::unique_ptr<Connection> connection;
  TimerEntry timer;

 private:
  Pool& pool_;
  std::string origin_;
};

// The connections of one client. Calls and responses share it with the client.
class Pool {
 public:
  Pool(Network& n, ClientOptions o) : network(n), options(std::move(o)) {}
  Pool(const Pool&) = delete;

  struct Origin {
    explicit Origin(std::size_t connections_max) : slots(connections_max) {}
    Semaphore slots;
    std::vector<std::unique_ptr<IdleConnection>> idle;  // the most recently used last
  };

  Origin& at(const std::string& origin) {
    const std::size_t most = std::max<std::size_t>(1, options.connections_per_host_max);
    return origins.try_emplace(origin, most).first->second;
  }

  // The most recently used connection that is still good; null when there is none.
  std::unique_ptr<Connection> take_idle(const std::string& origin) {
    std::vector<std::unique_ptr<IdleConnection>>& idle = at(origin).idle;
    while (!idle.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle.back()->connection);
      idle.pop_back();
      if (!connection->has_unread_bytes() && !connection->stream().readable_or_closed()) return connection;
    }
    return nullptr;
  }

  void put_back(Reactor& reactor, const std::string& origin, std::unique_ptr<Connection> connection,
                Duration idle_for) {
    if (idle_for <= Duration() || connection->has_unread_bytes()) return;
    auto idle = std::make_unique<IdleConnection>(*this, origin, std::move(connection));
    idle->timer.arm(reactor.timers(), reactor.now() + idle_for, *idle);
    at(origin).idle.push_back(std::move(idle));
  }

  void drop(const std::string& origin, IdleConnection& which) {
    std::erase_if(at(origin).idle,
                  [&](const std::unique_ptr<IdleConnection>& idle) { return idle.get() == &which; });
  }

  Network& network;
  ClientOptions options;
  std::map<std::string, Origin, std::less<>> origins;
  std::uint64_t made = 0;
};

void IdleConnection::run() { pool_.drop(origin_, *this); }

// One connection in use. Gives it back when its exchange ended well, closes it otherwise.
class Lease {
 public:
  Lease(std::shared_ptr<Pool> pool, Reactor& reactor, std::string origin, Semaphore::Permit slot)
      : pool_(std::move(pool)), reactor_(reactor), origin_(std::move(origin)), slot_(std::move(slot)) {}
  Lease(const Lease&) = delete;
  ~Lease() {
    if (!connection || !reusable || !connection->skip_buffered_body(skip_max)) return;
    auto giving_back = [this] { pool_->put_back(reactor_, origin_, std::move(connection), idle_for); };
    (void)catching(giving_back);  // without memory for that it is closed
  }

  const std::string& origin() const { return origin_; }

  std::unique_ptr<Connection> connection;
  bool reused = false;    // it had an exchange before this one
  bool reusable = false;  // the request went out whole and both sides keep the connection
  Duration idle_for;

 private:
  std::shared_ptr<Pool> pool_;
  Reactor& reactor_;
  std::string origin_;
  Semaphore::Permit slot_;  // last: given up before the pool
};

namespace {

Task<std::unique_ptr<Stream>> open_stream(Pool& pool, Url url, Report& report) {
  if (url.scheme() == "https" && !pool.options.encrypt) {
    co_return Error(Errc::unsupported, "https is not available: this client was made without TLS")
        .nothing_sent();
  }
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  const Duration limit = pool.options.connect_timeout;
  report.waits_for(TimeLimit::connect);
  std::unique_ptr<Stream> stream = co_await pool.network.connect_within(limit, url.host(), url.port());
  if (url.scheme() == "https") {
    report.waits_for(TimeLimit::handshake);
    Task<std::unique_ptr<Stream>> handshake = pool.options.encrypt(std::move(stream), url.host());
    Result<std::unique_ptr<Stream>> encrypted =
        co_await within(limit, {TimeLimit::handshake, "not finished"}, std::move(handshake), began).result();
    if (!encrypted && encrypted.error().limit() == TimeLimit::handshake && encrypted.error().peer().empty()) {
      co_return std::move(encrypted).error().context("TLS handshake with " + url.host()).nothing_sent();
    }
    stream = co_await std::move(encrypted);
  }
  ++pool.made;
  co_return std::move(stream);
}

Task<Semaphore::Permit> acquire(Semaphore& slots) {
  Semaphore::Permit slot = co_await slots.acquire();
  co_return std::move(slot);
}

// One of the origin's connections, as soon as there is one free.
Task<Semaphore::Permit> slot_for(Pool& pool, const std::string& origin) {
  Task<Semaphore::Permit> acquiring = acquire(pool.at(origin).slots);
  Result<Semaphore::Permit> slot =
      co_await within(pool.options.queue_timeout, {TimeLimit::queue, "none became free"},
                      std::move(acquiring))
          .result();
  if (slot) co_return std::move(slot);
  co_return std::move(slot).error().context("waiting for a connection to " + origin).nothing_sent();
}

Task<std::unique_ptr<Lease>> lease_for(std::shared_ptr<Pool> pool, Url url, bool fresh, Report& report) {
  Reactor& reactor = co_await this_reactor;
  const std::string origin = url.origin();
  report.waits_for(TimeLimit::queue);
  Semaphore::Permit slot = co_await slot_for(*pool, origin);
  auto lease = std::make_unique<Lease>(pool, reactor, origin, std::move(slot));
  if (!fresh) lease->connection = pool->take_idle(origin);
  lease->reused = lease->connection != nullptr;
  if (lease->reused) co_return std::move(lease);
  std::unique_ptr<Stream> stream = co_await open_stream(*pool, url, report);
  lease->connection = std::make_unique<Connection>(std::move(stream), Parser::Role::response,
                                                   limits_of(pool->options), pool->options.stall_timeout);
  co_return std::move(lease);
}

Task<> wait_for(Event& event) { co_await event.wait(); }

// The request goes out; with Expect: 100-continue its body waits for the server's word, for a while.
Task<> send_request(Connection& connection, std::string head, Body& body, Framing framing,
                    Event& may_continue, Duration patience) {
  if (!may_continue.is_set() && framing != Framing::none) {
    co_await connection.send_text(std::move(head));
    head.clear();
    Result<> told = co_await with_timeout(patience, wait_for(may_continue)).result();
    (void)told;  // no word is a word too: send
  }
  co_await connection.send(std::move(head), body, framing);
}

// The final head, past the interim ones.
Task<MessageHead> read_final_head(Connection& connection, bool answers_head, Event& may_continue) {
  for (;;) {
    MessageHead head = co_await connection.read_head(answers_head);
    if (head.status == 101) co_return Error(Errc::bad_message, "the server switched protocols unasked");
    if (head.status >= 200) co_return std::move(head);
    if (head.status == 100) may_continue.set();
    std::string nothing = co_await connection.read_body();
  }
}

// One request on its way and its answer. Sending goes on while the answer is read: an answer may come early,
// and may depend on what is still being sent.
class Exchange final : public Runnable {
 public:
  Exchange(std::unique_ptr<Lease> lease, Request& request)
      : lease_(std::move(lease)), body_(std::move(request.body)), attempt_(request.attempt) {}
  Exchange(const Exchange&) = delete;
  ~Exchange() {
    // Not all went out, or not all of the answer was wanted: what follows on this connection is uncertain.
    lease_->reusable = sent_whole_ && answer_keeps_alive_;
  }

  Connection& connection() { return *lease_->connection; }
  bool reused() const { return lease_->reused; }
  const std::string& origin() const { return lease_->origin(); }
  int attempt() const { return attempt_; }
  // The body back, to send it again.
  Body take_body() { return std::move(body_); }

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
  Body body_;
  int attempt_;
  Event may_continue_;
  std::optional<Started<void>> sending_;
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

  Started<MessageHead> reading(
      read_final_head(connection(), request.method == Method::head(), may_continue_));
  sending_.emplace(send_request(connection(), std::move(head), body_, framing, may_continue_,
                                options.expect_continue_timeout));
  waiting_ = &self;
  report.sends();
  sending_->start(reactor, *this);
  reading.start(reactor, self);
  TimerEntry limit;
  bool limited = false;
  for (;;) {
    if (take_sending()) {
      if (sending_failed_ && *sending_failed_ != Errc::reset) co_return *std::move(sending_failed_);
      report.waits_for(TimeLimit::head);
      limited = options.head_timeout != Duration::max();
      if (limited) limit.arm(reactor.timers(), reactor.precise_now() + options.head_timeout, self);
    }
    if (reading.finished()) break;
    if (limited && !limit.armed()) {
      const Duration length = options.head_timeout;
      const Duration elapsed = reactor.precise_now() - limit.deadline() + length;
      co_return timeout_error({TimeLimit::head, "no head"}, length, elapsed)
          .context("waiting for the response of " + connection().stream().peer());
    }
    co_await until_made_ready;
  }
  waiting_ = nullptr;
  Result<MessageHead> answer = reading.take();
  if (!answer && sending_failed_ && answer.error() == Errc::reset) co_return *std::move(sending_failed_);
  co_return std::move(answer);
}

void Exchange::answered(const MessageHead& head, const ClientOptions& options) {
  lease_->idle_for = options.idle_max;
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
  const bool repeatable = request.body.replayable() && request.method.idempotent();
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
    const bool stale =
        exchange->reused() && answer.error() == Errc::reset && !exchange->connection().has_unread_bytes();
    if (!stale || !repeatable) {
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

std::size_t Client::idle_connections() const {
  std::size_t idle = 0;
  for (const auto& [name, origin] : pool_->origins) idle += origin.idle.size();
  return idle;
}

std::uint64_t Client::connections_made() const { return pool_->made; }

}  // namespace escapement::http
