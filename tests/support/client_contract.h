// Our HTTP client and plain connections over any Network, against the servers that the test has started: an
// HTTP server with /hello, /echo (the request's body) and /large (1 MiB), and a server that sends back what
// it receives until its peer's end. Each yields the first expectation that does not hold; empty: all do.

#pragma once

#include <array>
#include <string>
#include <utility>

#include <escapement/io/http/client.h>

#include "support/binding_contracts.h"

namespace escapement::test {

inline Task<std::string> client_contract(Network& network, std::string origin,
                                         http::Encrypt encrypt = nullptr) {
  http::ClientOptions options;
  options.encrypt = std::move(encrypt);
  http::Client client(network, options);
  for (int i = 0; i < 3; ++i) {  // the later ones over the kept connection
    http::Response hello = co_await client(http::get(origin + "/hello"));
    std::string text = co_await hello.body.text(100);
    ESC_EXPECT(hello.status == 200 && text == "hello");
  }
  const std::string body(300'000, 'b');
  http::Request post = http::get(origin + "/echo");
  post.method = http::Method::post();
  post.body = http::Body(body);
  http::Response echoed = co_await client(std::move(post));
  std::string text = co_await echoed.body.text(1 * MiB);
  ESC_EXPECT(echoed.status == 200 && text == body);
  http::Response large = co_await client(http::get(origin + "/large"));
  text = co_await large.body.text(2 * MiB);
  ESC_EXPECT(text.size() == 1 * MiB && text.find_first_not_of('l') == text.npos);
  http::Response missing = co_await client(http::get(origin + "/nothing"));
  ESC_EXPECT(missing.status == 404);
  co_return std::string();
}

// Nobody listens at `closed`.
inline Task<std::string> connection_contract(Network& network, std::string host, std::uint16_t echo,
                                             std::uint16_t closed) {
  Result<std::unique_ptr<Stream>> none = co_await network.connect(host, closed).result();
  ESC_EXPECT(!none && none.error() == Errc::unavailable && !none.error().maybe_sent());
  std::unique_ptr<Stream> stream = co_await network.connect(host, echo);
  ESC_EXPECT(!stream->encrypted() && stream->peer() == host + ':' + std::to_string(echo));
  const std::string_view parts[] = {"one ", "two ", "three"};
  for (const std::string_view part : parts) {
    const Bytes bytes(reinterpret_cast<const std::byte*>(part.data()), part.size());
    co_await stream->write(bytes);
  }
  co_await stream->shutdown_write();
  std::string received;
  for (;;) {
    std::array<std::byte, 7> room{};
    const std::size_t count = co_await stream->read(room);
    if (count == 0) break;
    received.append(reinterpret_cast<const char*>(room.data()), count);
  }
  ESC_EXPECT(received == "one two three");
  std::array<std::byte, 1> more{};
  const std::size_t again = co_await stream->read(more);
  ESC_EXPECT(again == 0 && stream->readable_or_closed());
  co_return std::string();
}

// Reads one line, without its end.
inline Task<std::string> read_line(Stream& stream) {
  std::string line;
  for (;;) {
    std::array<std::byte, 1> room{};
    const std::size_t count = co_await stream.read(room);
    const char c = static_cast<char>(room[0]);
    if (count == 0 || c == '\n') co_return std::move(line);
    line += c;
  }
}

inline Task<> write_text(Stream& stream, std::string text) {
  const Bytes bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
  co_await stream.write(bytes);
}

// A protocol that begins TLS in its midst. At `port` of `host` is a server that greets with "220 hello",
// knows HELO and STARTTLS, each answered by a line ("250 fine", "220 ready"), and behind the handshake echoes
// lines. After INJECT its answer to STARTTLS has a line too many.
inline Task<std::string> starttls_contract(Network& network, http::Encrypt encrypt, std::string host,
                                           std::uint16_t port) {
  std::unique_ptr<Stream> stream = co_await network.connect(host, port);
  std::string line = co_await read_line(*stream);
  ESC_EXPECT(line == "220 hello" && !stream->encrypted());
  co_await write_text(*stream, "HELO me\n");
  line = co_await read_line(*stream);
  ESC_EXPECT(line == "250 fine");
  co_await write_text(*stream, "STARTTLS\n");
  line = co_await read_line(*stream);
  ESC_EXPECT(line == "220 ready");
  stream = co_await encrypt(std::move(stream), host);
  ESC_EXPECT(stream->encrypted());
  for (const char* const text : {"one", "two"}) {
    co_await write_text(*stream, std::string(text) + '\n');
    line = co_await read_line(*stream);
    ESC_EXPECT(line == text);
  }
  Result<std::unique_ptr<Stream>> twice = co_await encrypt(std::move(stream), host).result();
  ESC_EXPECT(!twice && twice.error() == Errc::invalid_argument);

  stream = co_await network.connect(host, port);
  co_await write_text(*stream, "INJECT\nSTARTTLS\n");
  for (const char* const text : {"220 hello", "250 fine", "220 ready"}) {
    line = co_await read_line(*stream);
    ESC_EXPECT(line == text);
  }
  Result<std::unique_ptr<Stream>> injected = co_await encrypt(std::move(stream), host).result();
  ESC_EXPECT(!injected && injected.error() == Errc::bad_message);
  co_return std::string();
}

}  // namespace escapement::test
