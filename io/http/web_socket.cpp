#include <escapement/io/http/web_socket.h>

#include <random>
#include <utility>

#include <escapement/core/detail/base64.h>
#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/upgrade.h>
#include <escapement/io/http/web_socket/connection.h>
#include <escapement/io/http/web_socket/handshake.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

using detail::StreamWebSocket;

Task<> speak(std::unique_ptr<Stream> stream, WebSocketHandler handler, WebSocketLimits limits,
             std::unique_ptr<WebSocketCompressor> compressor) {
  Reactor& reactor = co_await this_reactor;
  StreamWebSocket socket(reactor, std::move(stream), limits, std::move(compressor));
  Result<> spoken = co_await handler(socket).result();
  co_await socket.finish(spoken ? detail::code_normal : detail::code_internal);
  co_await std::move(spoken);
}

// --- The client's handshake.

std::string random_key(const std::function<std::uint32_t()>& random_bits) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t bits = random_bits();
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  return base64(bytes);
}

// ws and wss are http and https with another name (RFC 6455 section 3).
Result<Url> parse_web_socket_url(std::string_view text) {
  std::string as_http;
  if (equal_ignoring_case(text.substr(0, 5), "ws://")) as_http = "http" + std::string(text.substr(2));
  if (equal_ignoring_case(text.substr(0, 6), "wss://")) as_http = "https" + std::string(text.substr(3));
  if (as_http.empty()) return Error(Errc::invalid_argument, "a WebSocket's URL begins with ws:// or wss://");
  Result<Url> url = Url::parse(as_http);
  if (url && !url->fragment().empty())
    return Error(Errc::invalid_argument, "a WebSocket's URL has no fragment");
  return url;
}

bool belongs_to_handshake(std::string_view name) {
  return is_framing_field(name) || equal_ignoring_case(name, "host") ||
         equal_ignoring_case(name, "upgrade") || equal_ignoring_case(name.substr(0, 14), "sec-websocket-");
}

Result<std::string> request_text(const Url& url, std::string_view key,
                                 const WebSocketConnectOptions& options) {
  std::string text = "GET " + url.target() + " HTTP/1.1\r\nHost: " + url.authority() +
                     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
                     "Sec-WebSocket-Key: " + std::string(key) + "\r\n";
  std::string offered;
  for (const std::string& protocol : options.protocols) {
    if (!is_token(protocol)) return Error(Errc::invalid_argument, "a subprotocol's name is no token");
    offered += (offered.empty() ? "" : ", ") + protocol;
  }
  if (!offered.empty()) text += "Sec-WebSocket-Protocol: " + offered + "\r\n";
  if (options.compression) text += "Sec-WebSocket-Extensions: " + options.compression->offer() + "\r\n";
  for (const Headers::Field& field : options.headers) {
    if (!is_token(field.name) || !is_field_value(field.value) || belongs_to_handshake(field.name))
      return Error(Errc::invalid_argument, "the field '" + field.name + "' may not be sent with a WebSocket");
    text += field.name + ": " + field.value + "\r\n";
  }
  return text + "\r\n";
}

// The response's head, and the bytes behind it.
struct Answer {
  Answer(int code, Headers fields, std::string behind)
      : status(code), headers(std::move(fields)), rest(std::move(behind)) {}
  int status;
  Headers headers;
  std::string rest;
};

Task<Answer> read_answer(Stream& stream) {
  Parser parser(Parser::Role::response);
  std::string room(4 * KiB, '\0');
  for (;;) {
    const MutableBytes into(reinterpret_cast<std::byte*>(room.data()), room.size());
    const std::size_t count = co_await stream.read(into);
    if (count == 0) co_await Error(Errc::reset, "the server closed the connection instead of answering");
    Bytes bytes = as_bytes(std::string_view(room).substr(0, count));
    while (!bytes.empty()) {
      const Parser::Step step = parser.feed(bytes);
      bytes = bytes.subspan(step.consumed);
      if (step.event == Parser::Event::failed) co_await Error(parser.error());
      if (step.event == Parser::Event::need_more) break;
      const int status = parser.head().status;
      if (status == 101 || status >= 200) {
        co_return Answer(status, std::move(parser.head().headers), std::string(as_text(bytes)));
      }
    }
  }
}

Result<std::unique_ptr<WebSocketCompressor>> agreed_compression(const Headers& headers,
                                                                const WebSocketCompression* offered) {
  const std::optional<std::string> answer = headers.joined("sec-websocket-extensions");
  if (!answer) return std::unique_ptr<WebSocketCompressor>();
  if (offered == nullptr)
    return Error(Errc::bad_message, "the server uses an extension that was not offered");
  return offered->agree(*answer);
}

// A route leads to https URLs by tunnels, and a WebSocket always takes one.
Task<std::unique_ptr<Stream>> connect_by_route(Network& network, Url url,
                                               const WebSocketConnectOptions& options) {
  const bool v6 = url.host().find(':') != std::string::npos;
  const std::string host = v6 ? '[' + url.host() + ']' : url.host();
  const std::string text = "https://" + host + ':' + std::to_string(url.port()) + '/';
  Url tunnelled = co_await Url::parse(text);
  ClientOptions client;
  client.encrypt = options.encrypt;
  Task<std::unique_ptr<Stream>> connecting =
      options.route->connect(network, client, std::move(tunnelled), options.connect_timeout);
  co_return co_await std::move(connecting);
}

Task<std::unique_ptr<Stream>> connect_stream(Network& network, const Url& url,
                                             const WebSocketConnectOptions& options) {
  if (options.route) return connect_by_route(network, url, options);
  return network.connect(url.host(), url.port());
}

Task<ConnectedWebSocket> connect_now(Network& network, Url url, WebSocketConnectOptions options) {
  Reactor& reactor = co_await this_reactor;
  std::string key = random_key(options.random_bits);
  std::string request = co_await request_text(url, key, options);
  Task<std::unique_ptr<Stream>> connecting = connect_stream(network, url, options);
  std::unique_ptr<Stream> stream = co_await std::move(connecting);
  if (url.scheme() == "https") stream = co_await options.encrypt(std::move(stream), url.host());
  co_await stream->write(as_bytes(request));
  Answer answer = co_await read_answer(*stream);
  ConnectedWebSocket connected;
  connected.protocol =
      co_await detail::web_socket_answer(answer.status, answer.headers, key, options.protocols);
  std::unique_ptr<WebSocketCompressor> compressor =
      co_await agreed_compression(answer.headers, options.compression.get());
  connected.socket =
      std::make_unique<StreamWebSocket>(reactor, std::move(stream), options.limits, std::move(answer.rest),
                                        std::move(options.random_bits), std::move(compressor));
  co_return std::move(connected);
}

}  // namespace

Response accept_web_socket(const Request& request, WebSocketHandler handler, WebSocketAcceptOptions options) {
  if (std::optional<Response> refusal = detail::web_socket_refusal(request, options.origins))
    return *std::move(refusal);
  auto agreed = std::make_shared<AgreedCompression>();
  const std::optional<std::string> extensions = request.headers.joined("sec-websocket-extensions");
  if (options.compression && extensions) *agreed = options.compression->accept(*extensions);
  Response response = upgrade_to(
      request, "websocket",
      [handler = std::move(handler), limits = options.limits, agreed](std::unique_ptr<Stream> stream) {
        return speak(std::move(stream), handler, limits, std::move(agreed->compressor));
      });
  if (!agreed->field.empty()) response.headers.set("Sec-WebSocket-Extensions", agreed->field);
  const std::string key = request.headers.joined("sec-websocket-key").value_or("");
  response.headers.set("Sec-WebSocket-Accept", detail::web_socket_accept(key));
  const std::string_view protocol = detail::agreed_protocol(request, options.protocols);
  if (!protocol.empty()) response.headers.set("Sec-WebSocket-Protocol", std::string(protocol));
  return response;
}

Task<ConnectedWebSocket> connect_web_socket(Network& network, std::string url,
                                            WebSocketConnectOptions options) {
  Url parsed = co_await parse_web_socket_url(url);
  if (parsed.scheme() == "https" && !options.encrypt)
    co_await Error(Errc::unsupported, "wss needs WebSocketConnectOptions::encrypt");
  if (!options.random_bits) options.random_bits = [] { return std::uint32_t{std::random_device()()}; };
  const Duration limit = options.connect_timeout;
  ConnectedWebSocket connected =
      co_await with_timeout(limit, connect_now(network, std::move(parsed), std::move(options)));
  co_return std::move(connected);
}

}  // namespace escapement::http
