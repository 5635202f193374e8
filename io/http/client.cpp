#include <escapement/io/http/client.h>

#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/io/http/detail/call_report.h>
#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/detail/client_pool.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

namespace {

// A failure, with whom it was about and which attempt it was.
Error told(Error error, const std::string& origin, int attempt) {
  error = std::move(error).with_peer(origin);
  if (attempt != 0) error = std::move(error).in_attempt(attempt);
  return error;
}

// Fails a body that comes too slowly: by the bytes that came in the time for which somebody waited for them.
class BodyRate {
 public:
  explicit BodyRate(const ClientOptions& options)
      : bytes_min_(options.slow_body_bytes), time_(options.slow_body_time) {}

  bool limits() const { return bytes_min_ != 0; }
  // Returns the failure if fewer than `bytes_min` have come in the last `time`.
  std::optional<Error> add(std::size_t bytes, Duration waited) {
    bytes_ += bytes;
    waited_ += waited;
    if (waited_ < time_) return std::nullopt;
    const bool slow = bytes_ < bytes_min_;
    const Duration took = waited_;
    bytes_ = 0;
    waited_ = Duration();
    if (!slow) return std::nullopt;
    return escapement::detail::timeout_error(limit, time_, took);
  }
  // Ends a read during which nothing comes for so long that too little will have come.
  Task<std::string> in_time(Task<std::string> reading, Instant now) const {
    // If enough has come for this length of time, it is the next one that counts.
    const Instant began = bytes_ < bytes_min_ ? now - waited_ : now - waited_ + time_;
    return escapement::detail::within(time_, limit, std::move(reading), began);
  }

 private:
  static constexpr escapement::detail::LimitName limit{TimeLimit::body, "less than slow_body_bytes"};

  std::uint64_t bytes_min_;
  Duration time_;
  std::uint64_t bytes_ = 0;
  Duration waited_;
};

// The body of a response, read from its connection as it is asked for.
class ResponseBody final : public BodySource {
 public:
  ResponseBody(std::shared_ptr<Pool> pool, Lease lease, std::optional<std::uint64_t> length, int attempt)
      : pool_(std::move(pool)), length_(length), attempt_(attempt), rate_(pool_->options()) {
    lease_.emplace(std::move(lease));
  }

  Task<std::string> read() override {
    if (failure_) co_return *failure_;
    if (!lease_) co_return std::string();
    Reactor& reactor = co_await this_reactor;
    const Instant began = rate_.limits() ? reactor.precise_now() : Instant();
    Result<std::string> read = co_await next_bytes(began).result();
    if (!read) co_return fail(std::move(read).error());
    std::string bytes = *std::move(read);
    if (bytes.empty()) {
      trailers_ = lease_->exchange->take_trailers();
      lease_.reset();
    } else if (rate_.limits()) {
      std::optional<Error> slow = rate_.add(bytes.size(), reactor.precise_now() - began);
      if (slow) co_return fail(*std::move(slow));
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return std::move(trailers_); }

 private:
  Task<std::string> next_bytes(Instant now) {
    Task<std::string> reading = lease_->exchange->read_body();
    return rate_.limits() ? rate_.in_time(std::move(reading), now) : std::move(reading);
  }
  // Keeps the failure, and lets go of the connection: others wait for its place.
  Error fail(Error error) {
    failure_.emplace(told(std::move(error), lease_->name(), attempt_));
    lease_.reset();
    return *failure_;
  }

  std::shared_ptr<Pool> pool_;
  std::optional<Lease> lease_;
  std::optional<Error> failure_;
  std::optional<std::uint64_t> length_;
  int attempt_;
  BodyRate rate_;
  Headers trailers_;
};

Response make_response(std::shared_ptr<Pool>& pool, Lease& lease, ResponseHead& head, int attempt) {
  Response response(head.status, std::move(head.headers), Body());
  if (head.body) {
    response.body = *std::move(head.body);
  } else {
    response.body =
        Body(std::make_unique<ResponseBody>(std::move(pool), std::move(lease), head.length, attempt));
  }
  return response;
}

Result<> prepare(const ClientOptions& options, Request& request, RequestOptions& head) {
  if (options.https_only && request.url.scheme() != "https") {
    return Error(Errc::invalid_argument, "only https is allowed here: " + request.url.origin())
        .because(Fault::https_only)
        .nothing_sent();
  }
  if (options.route) return options.route->prepare(request, head);
  return {};
}

// A connection that the server has closed meanwhile says nothing about the request. Returns whether to send
// it once more, on a new connection: a request of which nothing has left, or that may be sent twice.
bool was_dead(const Lease& lease, const Error& error, const Request& request) {
  if (!lease.reused() || error != Errc::reset || !lease.exchange->unanswered()) return false;
  return lease.exchange->unsent() || idempotent(request.method, request.headers);
}

// A server that closes an idle connection may say so with a 408, which meets the next request on its way
// (RFC 9110 section 15.5.9).
bool is_close_notice(const Lease& lease, const ResponseHead& head, const Request& request) {
  return head.status == 408 && lease.reused() && idempotent(request.method, request.headers) &&
         list_contains(head.headers.joined("connection").value_or(std::string()), "close");
}

Task<Response> call(std::shared_ptr<Pool> pool, Request request) {
  Reactor& reactor = co_await this_reactor;
  OutgoingRequest outgoing{request};
  outgoing.head = std::move(pool->spare_head);
  const Defer kept([&spare = pool->spare_head, &head = outgoing.head] {
    head.clear();
    spare = std::move(head);
  });
  // Before anything is connected: a request that cannot be sent needs no connection.
  RequestOptions head_options;
  Result<> prepared = prepare(pool->options(), request, head_options);
  if (!prepared) co_return std::move(prepared).error().nothing_sent();
  outgoing.framing = co_await write_request_head(outgoing.head, request, head_options);
  const bool in_memory = request.body.replayable();
  CallReport report(request);
  std::optional<Lease> lease = pool->take(request.url, reactor);
  for (bool again = false;; again = true) {
    if (again || !lease) {
      Task<Lease> waiting = pool->wait_for(request.url, report, lease);
      Result<Lease> leased = co_await std::move(waiting).result();
      if (!leased) report.waits_for(TimeLimit::none);
      if (!leased) {
        Error error = std::move(leased).error().nothing_sent();
        co_return told(std::move(error), request.url.origin(), request.attempt);
      }
      lease.emplace(*std::move(leased));
    }
    ClientExchange& exchange = *lease->exchange;
    ResponseHead head;
    Result<> outcome = co_await exchange.call(outgoing, head, report).result();
    report.waits_for(TimeLimit::none);
    const bool repeat =
        !again && in_memory &&
        (outcome ? is_close_notice(*lease, head, request) : was_dead(*lease, outcome.error(), request));
    if (!repeat) {
      if (outcome) co_return make_response(pool, *lease, head, request.attempt);
      if (exchange.closed_unanswered()) report.closed_unanswered();
      Error error = std::move(outcome).error();
      if (exchange.unsent()) error.nothing_sent();
      co_return told(std::move(error), lease->name(), request.attempt);
    }
    request.body = exchange.take_body();
    outgoing.head.clear();
    outgoing.framing = co_await write_request_head(outgoing.head, request, head_options);
  }
}

}  // namespace

}  // namespace detail

Client::Client(Network& network, ClientOptions options)
    : pool_(std::make_shared<detail::Pool>(network, std::move(options))) {}

Task<Response> Client::operator()(Request request) const { return detail::call(pool_, std::move(request)); }

std::size_t Client::idle_connections() const { return pool_->idle(); }

std::size_t Client::open_connections() const { return pool_->open(); }

std::size_t Client::requests_in_line() const { return pool_->in_line(); }

std::size_t Client::origins() const { return pool_->origins(); }

std::uint64_t Client::connections_made() const { return pool_->made; }

}  // namespace escapement::http
