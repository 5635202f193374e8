#include <escapement/io/http/client.h>

#include <utility>

#include <escapement/core/event.h>
#include <escapement/io/http/detail/call_report.h>
#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/detail/client_pool.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

using escapement::detail::LimitName;
using escapement::detail::within;

namespace {

// A failure, with whom it was about and which attempt it was.
Error told(Error error, const std::string& origin, int attempt) {
  error = std::move(error).with_peer(origin);
  if (attempt != 0) error = std::move(error).in_attempt(attempt);
  return error;
}

Task<std::unique_ptr<Stream>> open_stream(Pool& pool, Url url, CallReport& report, Instant began) {
  const Duration limit = pool.options.connect_timeout;
  report.waits_for(TimeLimit::connect);
  Task<std::unique_ptr<Stream>> connecting =
      pool.options.route ? pool.options.route->connect(pool.network, pool.options, url, limit)
                         : pool.network.connect_within(limit, url.host(), url.port());
  std::unique_ptr<Stream> stream = co_await std::move(connecting);
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
Task<std::unique_ptr<ClientConnection>> connect(Pool& pool, Url url, CallReport& report) {
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
  Result<std::unique_ptr<ClientConnection>> made = make_client_connection(*std::move(stream), pool.options);
  if (made) ++pool.made;
  co_return std::move(made);
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

Task<std::unique_ptr<Lease>> lease_for(std::shared_ptr<Pool> pool, Url url, bool fresh, CallReport& report) {
  Reactor& reactor = co_await this_reactor;
  auto lease = std::make_unique<Lease>(pool, reactor, url.origin());
  const bool queues = lease->origin().slots.available() == 0;
  if (queues) report.enters_queue(reactor);
  Semaphore::Permit slot = co_await slot_for(*pool, *lease);
  if (queues) report.leaves_queue(reactor);
  lease->slot.emplace(std::move(slot));
  if (!fresh) lease->connection = pool->take_idle(lease->origin());
  lease->reused = lease->connection != nullptr;
  if (!lease->reused) lease->connection = co_await connect(*pool, std::move(url), report);
  co_return std::move(lease);
}

// The body of a response, read from its connection as it is asked for.
class ResponseBody final : public BodySource {
 public:
  ResponseBody(std::unique_ptr<Lease> lease, std::optional<std::uint64_t> length, int attempt)
      : lease_(std::move(lease)), length_(length), attempt_(attempt) {}

  Task<std::string> read() override {
    if (!lease_) co_return std::string();
    Result<std::string> read = co_await lease_->exchange->read_body().result();
    if (!read) co_return told(std::move(read).error(), lease_->name(), attempt_);
    std::string bytes = *std::move(read);
    if (bytes.empty()) {
      trailers_ = lease_->exchange->take_trailers();
      lease_.reset();
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return std::move(trailers_); }

 private:
  std::unique_ptr<Lease> lease_;
  std::optional<std::uint64_t> length_;
  int attempt_;
  Headers trailers_;
};

Response make_response(std::unique_ptr<Lease> lease, ResponseHead head, int attempt) {
  Response response(head.status, std::move(head.headers), Body());
  if (head.has_body) {
    response.body = Body(std::make_unique<ResponseBody>(std::move(lease), head.length, attempt));
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

Task<Response> call(std::shared_ptr<Pool> pool, Request request) {
  const bool repeatable = request.body.replayable() && idempotent(request.method, request.headers);
  OutgoingRequest outgoing{request};
  // Before anything is connected: a request that cannot be sent needs no connection.
  RequestOptions head_options;
  co_await prepare(pool->options, request, head_options);
  outgoing.framing = co_await write_request_head(outgoing.head, request, head_options);
  CallReport report(request);
  bool fresh = false;
  for (;;) {
    Result<std::unique_ptr<Lease>> leased = co_await lease_for(pool, request.url, fresh, report).result();
    if (!leased) report.waits_for(TimeLimit::none);
    if (!leased) co_return told(std::move(leased).error(), request.url.origin(), request.attempt);
    std::unique_ptr<Lease> lease = *std::move(leased);
    lease->exchange = lease->connection->begin();
    ClientExchange& exchange = *lease->exchange;
    Result<ResponseHead> head = co_await exchange.call(outgoing, report).result();
    report.waits_for(TimeLimit::none);
    if (head) co_return make_response(std::move(lease), *std::move(head), request.attempt);
    // A kept connection that the server closed meanwhile says nothing about the request: once more, afresh.
    const bool stale = lease->reused && head.error() == Errc::reset && exchange.unanswered();
    if (!stale || !repeatable) {
      if (exchange.closed_unanswered()) report.closed_unanswered();
      co_return told(std::move(head).error(), lease->name(), request.attempt);
    }
    request.body = exchange.take_body();
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
