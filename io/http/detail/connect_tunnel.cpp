#include <escapement/io/http/detail/connect_tunnel.h>

#include <array>
#include <utility>

#include <escapement/io/http/basic_credentials.h>
#include <escapement/io/http/h1/parser.h>

namespace escapement::http::detail {

namespace {

constexpr int interim_max = 8;

Error refusal(Errc kind, Fault fault, std::string why) {
  return Error(kind, std::move(why)).because(fault).nothing_sent();
}

// Returns the error for a status, if it is no success.
std::optional<Error> refusal_of(int status, bool has_credentials) {
  const std::string answer = "it answered CONNECT with " + std::to_string(status);
  if (status >= 200 && status <= 299) return std::nullopt;
  if (status == 407) {
    return refusal(
        Errc::permission_denied, Fault::proxy_auth_required,
        has_credentials ? "it does not accept the credentials (407)" : "it wants credentials (407)");
  }
  if (status >= 500) return refusal(Errc::unavailable, Fault::proxy_failed, answer);
  if (status >= 400) return refusal(Errc::permission_denied, Fault::proxy_refused, answer);
  return refusal(Errc::bad_message, Fault::proxy_bad_answer, answer);
}

// Reads the final head of the answer, and nothing behind it: a server speaks second in TLS and in HTTP.
Task<int> read_status(Stream& stream) {
  ParserLimits limits;
  limits.interim_max = interim_max;
  Parser parser(Parser::Role::response, limits);
  parser.expect_no_body(true);
  std::array<std::byte, 2 * KiB> room{};
  for (;;) {
    Result<std::size_t> count = co_await stream.read(room).result();
    if (!count || *count == 0)
      co_await refusal(Errc::unavailable, Fault::proxy_closed, "it closed the connection");
    Bytes bytes = Bytes(room).first(*count);
    while (!bytes.empty()) {
      const Parser::Step step = parser.feed(bytes);
      bytes = bytes.subspan(step.consumed);
      if (step.event == Parser::Event::failed)
        co_await refusal(Errc::bad_message, Fault::proxy_bad_answer, parser.error().message());
      if (step.event == Parser::Event::need_more || step.event == Parser::Event::complete) continue;
      const int status = parser.head().status;
      if (status < 200) continue;
      if (status <= 299 && !bytes.empty())
        co_await refusal(Errc::bad_message, Fault::proxy_bad_answer, "it sent bytes behind its answer");
      co_return status;
    }
  }
}

}  // namespace

Task<std::unique_ptr<Stream>> connect_tunnel(std::unique_ptr<Stream> stream, Proxy proxy,
                                             std::string authority) {
  std::string head = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!proxy.user.empty()) {
    std::string credentials = co_await basic_credentials(proxy.user, proxy.password);
    head += "Proxy-Authorization: " + credentials + "\r\n";
  }
  head += "\r\n";
  Result<> sent = co_await stream->write(as_bytes(head)).result();
  if (!sent) co_return refusal(Errc::unavailable, Fault::proxy_closed, "it closed the connection");
  const int status = co_await read_status(*stream);
  std::optional<Error> refused = refusal_of(status, !proxy.user.empty());
  if (refused) co_return *std::move(refused);
  co_return std::move(stream);
}

}  // namespace escapement::http::detail
