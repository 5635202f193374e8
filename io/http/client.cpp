#include <escapement/io/http/client.h>

#include <algorithm>
#include <charconv>
#include <map>

#include <escapement/core/event.h>
#include <escapement/io/http/connection.h>
#include <escapement/io/http/writer.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

using escapement::detail::PromiseBase;
using escapement::detail::Started;
using escapement::detail::this_task;
using escapement::detail::timeout_message;
using escapement::detail::until_made_ready;

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

Error named(Error error, const char* what) {
  return error == Errc::timed_out ? std::move(error).context(what) : std::move(error);
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
    if (connection && reusable && connection->skip_buffered_body(skip_max)) {
      pool_->put_back(reactor_, origin_, std::move(connection), idle_for);
    }
  }

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

// The body of a response, read from its connection as it is asked for.
class ResponseBody final : public BodySource {
 public:
  ResponseBody(std::unique_ptr<Lease> lease, std::optional<std::uint64_t> length)
      : lease_(std::move(lease)), length_(length) {}

  Task<std::string> read() override {
    if (!lease_) co_return std::string();
    std::string bytes = co_await lease_->connection->read_body();
    if (bytes.empty()) {
      trailers_ = lease_->connection->take_trailers();
      lease_.reset();
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return std::move(trailers_); }

 private:
  std::unique_ptr<Lease> lease_;
  std::optional<std::uint64_t> length_;
  Headers trailers_;
};

namespace {

Task<std::unique_ptr<Stream>> open_stream(Pool& pool, Url url) {
  if (url.scheme() == "https" && !pool.options.encrypt) {
    co_return Error(Errc::unsupported, "https is not available: this client was made without TLS")
        .nothing_sent();
  }
  std::unique_ptr<Stream> stream = co_await pool.network.connect(url.host(), url.port());
  if (url.scheme() == "https") stream = co_await pool.options.encrypt(std::move(stream), url.host());
  ++pool.made;
  co_return std::move(stream);
}

Task<std::unique_ptr<Lease>> lease_for(std::shared_ptr<Pool> pool, Url url, bool fresh) {
  Reactor& reactor = co_await this_reactor;
  const std::string origin = url.origin();
  Semaphore::Permit slot = co_await pool->at(origin).slots.acquire();
  auto lease = std::make_unique<Lease>(pool, reactor, origin, std::move(slot));
  if (!fresh) lease->connection = pool->take_idle(origin);
  lease->reused = lease->connection != nullptr;
  if (lease->reused) co_return std::move(lease);
  Result<std::unique_ptr<Stream>> stream =
      co_await with_timeout(pool->options.connect_timeout, open_stream(*pool, url)).result();
  if (!stream) {
    Error error = named(std::move(stream).error(), "connecting");
    if (error == Errc::timed_out) error.nothing_sent();
    co_return std::move(error);
  }
  lease->connection = std::make_unique<Connection>(*std::move(stream), Parser::Role::response,
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

// Sends the request and reads the answer's head at the same time, so that an answer that comes early is
// heard. Sets `sent_whole` when the request was out by then; if not, the rest of it is given up.
Task<MessageHead> exchange(Pool& pool, Connection& connection, Request& request, bool& sent_whole) {
  PromiseBase& self = co_await this_task;
  Reactor& reactor = self.reactor();
  std::string text;
  const Framing framing = co_await write_request_head(text, request, RequestOptions());
  const bool expects = equal_ignoring_case(request.headers.get_or("expect", ""), "100-continue");
  Event may_continue;
  if (!expects) may_continue.set();

  Started<void> sending(send_request(connection, std::move(text), request.body, framing, may_continue,
                                     pool.options.expect_continue_timeout));
  Started<MessageHead> reading(read_final_head(connection, request.method == Method::head(), may_continue));
  sending.start(reactor, self);
  reading.start(reactor, self);
  TimerEntry limit;
  bool limit_running = false;
  std::optional<Error> sending_failed;
  bool sending_done = false;
  for (;;) {
    if (!sending_done && sending.finished()) {
      sending_done = true;
      Result<> sent = sending.take();
      sent_whole = static_cast<bool>(sent);
      if (!sent) sending_failed = std::move(sent).error();
      // Our own body failed: the server waits for the rest, and no answer will come. A broken connection is
      // another matter: the answer may have arrived before it broke.
      if (sending_failed && *sending_failed != Errc::reset) co_return *std::move(sending_failed);
      limit_running = pool.options.head_timeout != Duration::max();
      if (limit_running) limit.arm(reactor.timers(), reactor.precise_now() + pool.options.head_timeout, self);
    }
    if (reading.finished()) break;
    if (limit_running && !limit.armed()) {
      co_return Error(Errc::timed_out, "no response head: " + timeout_message(pool.options.head_timeout));
    }
    co_await until_made_ready;
  }
  Result<MessageHead> head = reading.take();
  if (!head && sending_failed && head.error() == Errc::reset) co_return *std::move(sending_failed);
  co_return std::move(head);
}

Response make_response(std::unique_ptr<Lease> lease, MessageHead head, const ClientOptions& options,
                       bool sent_whole) {
  Duration idle_for = options.idle_max;
  if (const std::optional<Duration> announced = announced_keep_alive(head.headers)) {
    idle_for = std::min(idle_for, *announced - idle_margin);
  }
  lease->idle_for = idle_for;
  lease->reusable = sent_whole && head.keep_alive;
  Response response(head.status, std::move(head.headers), Body());
  if (head.has_body()) {
    response.body = Body(std::make_unique<ResponseBody>(std::move(lease), head.content_length));
  } else {
    lease->connection->skip_buffered_body(0);
  }
  return response;
}

Task<Response> call(std::shared_ptr<Pool> pool, Request request) {
  const bool repeatable = request.body.replayable() && request.method.idempotent();
  bool fresh = false;
  for (;;) {
    std::unique_ptr<Lease> lease = co_await lease_for(pool, request.url, fresh);
    bool sent_whole = false;
    Connection& connection = *lease->connection;
    Result<MessageHead> head = co_await exchange(*pool, connection, request, sent_whole).result();
    if (head) co_return make_response(std::move(lease), *std::move(head), pool->options, sent_whole);
    // A kept connection that the server closed meanwhile says nothing about the request: once more, afresh.
    const bool stale = lease->reused && head.error() == Errc::reset && !connection.has_unread_bytes();
    if (!stale || !repeatable) co_return std::move(head).error();
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
