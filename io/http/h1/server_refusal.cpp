// What a server answers by itself: to a handler that failed, and to what it does not pass on.

#include <vector>

#include <escapement/io/http/h1/server_connection.h>

namespace escapement::http::detail {

namespace {

constexpr std::size_t linger_max = 256 * KiB;  // read and thrown away after an early answer
constexpr Duration linger_time = 2s;

// In a turn of its own: many in a row must not call each other.
Task<Response> fails(Error error) {
  co_await yield();
  co_return error;
}

}  // namespace

// A service that is no coroutine may throw before there is a task: a failure of its request like any other.
bool ServerConnection::service_threw() const {
  if (!conversation_ || !conversation_->exchange) return false;
  return !conversation_->exchange->handling && !conversation_->exchange->response;
}

void ServerConnection::fail_request(Error error) {
  Exchange& exchange = *conversation_->exchange;
  exchange.handling.emplace(fails(error));
  exchange.handling->start(reactor_, *this);
  start(converse(Next::handler));
}

// What a failed handler is answered with: what the request's own body got wrong, too late, or our fault.
Response ServerConnection::failure_response(const Error& error) {
  const int parse_status = wire().parse_error_status();
  if (parse_status != 0) {
    ++server_.statistics_.refused;
    return Response(parse_status, std::string(reason_phrase(parse_status)) + "\n");
  }
  ++server_.statistics_.failed_handlers;
  tell(error);
  const int status = error_status(error);
  return Response(status, std::string(reason_phrase(status)) + "\n");
}

// The server's own answer to what it does not pass on, and the end of the connection.
Task<> ServerConnection::refuse(int status) {
  if (status != 503) {
    ++server_.statistics_.refused;
    const std::string peer = stream().peer();
    tell(Refusal{status, peer});
  }
  const Response response(status, Headers{{"Content-Type", "text/plain"}},
                          std::string(reason_phrase(status)) + "\n");
  ResponseOptions writing;
  writing.keep_alive = false;
  writing.date_line = server_.date_line(reactor_);
  const Framing framing = co_await write_response_head(wire().out(), response, writing);
  wire().put_body(response.body, framing);
  co_await wire().flush();
  co_await linger();
}

// Closing with unread bytes would reset the connection and may destroy the answer on its way (RFC 9112
// section 9.6): tell the peer that no more comes, and read on for a while.
Task<> ServerConnection::linger() {
  conversation_->answer_begun = false;  // and all of it was sent
  Result<> half_closed = co_await stream().shutdown_write().result();
  if (!half_closed) co_return;
  set_limit(Limit::lingering, reactor_.precise_now() + linger_time);
  std::vector<std::byte> scratch(16 * KiB);
  for (std::size_t total = 0; total < linger_max;) {
    Result<std::size_t> count = co_await stream().read(scratch).result();
    if (!count || *count == 0) co_return;
    total += *count;
  }
}

}  // namespace escapement::http::detail
