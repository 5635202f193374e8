// The responses that a server makes by itself: for a handler that failed, and for what is no request.

#include <vector>

#include <escapement/io/http/h1/server_connection.h>
#include <escapement/io/http/h1/writer.h>

namespace escapement::http::detail {

namespace {

constexpr std::size_t linger_max = 256 * KiB;  // read and dropped after an early response
constexpr Duration linger_time = 2s;

// Fails in a turn of its own: many in a row must not call each other.
Task<Response> fails(Error error) {
  co_await yield();
  co_return error;
}

}  // namespace

// True when the service, which may be no coroutine, threw before there was a task: a failure of its request
// like any other.
bool Http1ServerConnection::service_threw() const {
  if (!active_ || !active_->exchange) return false;
  return active_->exchange->not_started();
}

void Http1ServerConnection::fail_request(Error error) {
  Exchange& exchange = *active_->exchange;
  exchange.handler.emplace(fails(error));
  exchange.handler->start(reactor_, *this);
  enter(State::handling);
  start_task(run_slow_path(Next::await_handler));
}

// Returns the response for a failed handler: a 4xx if the request's body was malformed, else error_status().
Response Http1ServerConnection::failure_response(const Error& error) {
  const int parse_status = wire().parse_error_status();
  if (parse_status != 0) {
    ++shared_.statistics.refused;
    return Response(parse_status, std::string(reason_phrase(parse_status)) + "\n");
  }
  ++shared_.statistics.failed_handlers;
  report(error);
  const int status = error_status(error);
  return Response(status, std::string(reason_phrase(status)) + "\n");
}

// Sends a response of the server's own to what it does not give to the service. It is the last.
Task<Http1ServerConnection::TaskEnd> Http1ServerConnection::reject(int status) {
  enter(State::rejecting);
  if (status != 503) {
    ++shared_.statistics.refused;
    const std::string peer = stream().peer();
    report(Refusal{status, peer});
  }
  const Response response(status, Headers{{"Content-Type", "text/plain"}},
                          std::string(reason_phrase(status)) + "\n");
  ResponseOptions writing;
  writing.keep_alive = false;
  writing.date_line = shared_.date_line(reactor_);
  const Framing framing = co_await write_response_head(wire().out(), response, writing);
  wire().put_body(response.body, framing);
  co_await wire().flush();
  co_await linger();
  co_return TaskEnd::close;
}

// Closing with unread bytes would reset the connection and may destroy the response on its way (RFC 9112
// section 9.6): tells the client that no more comes, and reads on for a while.
Task<> Http1ServerConnection::linger() {
  enter(State::lingering);
  // Before shutdown_write, which waits over TLS if the client does not read.
  deadlines().set(Limit::lingering, reactor_.precise_now() + linger_time);
  Result<> half_closed = co_await stream().shutdown_write().result();
  if (!half_closed) co_return;
  std::vector<std::byte> scratch(16 * KiB);
  for (std::size_t total = 0; total < linger_max;) {
    Result<std::size_t> count = co_await stream().read(scratch).result();
    if (!count || *count == 0) co_return;
    total += *count;
  }
}

}  // namespace escapement::http::detail
