// permessage-deflate: RFC 7692's examples, what is agreed on, damaged data, and both ends of a connection, of
// every size and with every agreement (as cases 12 and 13 of the Autobahn test suite have them).

#include <escapement/middleware/web_socket/permessage_deflate.h>

#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/bytes.h>
#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/web_socket.h>
#include <escapement/io/sim/sim.h>

#include "support/raw_http.h"

using namespace escapement;
using namespace std::string_literals;

namespace {

http::PermessageDeflateOptions settings(bool keep_context, int window_bits = 15, int peer_window_bits = 15) {
  http::PermessageDeflateOptions options;
  options.keep_context = keep_context;
  options.window_bits = window_bits;
  options.peer_window_bits = peer_window_bits;
  options.size_min = 0;
  return options;
}

struct Ends {
  std::unique_ptr<http::WebSocketCompressor> server;
  std::unique_ptr<http::WebSocketCompressor> client;
};

// Two ends that have agreed.
Ends agree(const http::PermessageDeflateOptions& servers, const http::PermessageDeflateOptions& clients) {
  const http::PermessageDeflate server(servers);
  const http::PermessageDeflate client(clients);
  http::AgreedCompression agreed = server.accept(client.offer());
  CAPTURE(client.offer(), agreed.field);
  REQUIRE(agreed.compressor);
  Result<std::unique_ptr<http::WebSocketCompressor>> other = client.agree(agreed.field);
  REQUIRE(other);
  return Ends{std::move(agreed.compressor), *std::move(other)};
}

// Returns what is sent for a message; nullopt: the message itself.
std::optional<std::string> compressed(http::WebSocketCompressor& end, std::string_view message) {
  Result<std::optional<std::string>> data = end.compress(message);
  REQUIRE(data);
  return *std::move(data);
}

std::string decompressed(http::WebSocketCompressor& end, std::string_view data, std::size_t bytes_max = 100) {
  Result<std::string> message = end.decompress(data, bytes_max);
  return message ? *std::move(message) : "failed";
}

std::string answer(const http::PermessageDeflateOptions& options, std::string_view offers) {
  return http::PermessageDeflate(options).accept(offers).field;
}

bool agrees(const http::PermessageDeflateOptions& options, std::string_view answer) {
  const Result<std::unique_ptr<http::WebSocketCompressor>> end =
      http::PermessageDeflate(options).agree(answer);
  if (!end) CHECK(end.error() == Errc::bad_message);
  return static_cast<bool>(end);
}

// Text with repetitions, and without.
std::string some_message(Random& random) {
  std::string message;
  const std::size_t size = random.up_to(random.one_in(4) ? 100'000 : 300);
  const std::uint64_t letters = random.one_in(3) ? 255 : 3;
  while (message.size() < size) message += static_cast<char>('a' + random.up_to(letters));
  return message;
}

}  // namespace

TEST_CASE("PermessageDeflate: the examples of RFC 7692 section 7.2.3") {
  Ends ends = agree(settings(true), settings(true));
  const auto read = [&](std::string_view data) { return decompressed(*ends.server, data, 100); };
  CHECK(read("\xf2\x48\xcd\xc9\xc9\x07\x00"s) == "Hello");
  CHECK(read("\xf2\x00\x11\x00\x00"s) == "Hello");  // refers to the first one
  CHECK(read("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s) == "Hello");
  CHECK(read("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s) == "Hello");  // with the bit of a last block
  CHECK(read("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s) == "Hello");
  CHECK(read("\x02\x00"s) == "");  // an empty block
  CHECK(read("\x00"s) == "");      // the same, shorter (section 7.2.3.6)
  CHECK(compressed(*ends.client, "Hello") == "\xf2\x48\xcd\xc9\xc9\x07\x00"s);
  CHECK(compressed(*ends.client, "Hello") == "\xf2\x00\x11\x00\x00"s);
}

TEST_CASE("PermessageDeflate: a compressed message without data is none") {
  Ends ends = agree(settings(false), settings(false));
  const Result<std::string> read = ends.server->decompress("", 100);
  CHECK((!read && read.error() == Errc::bad_message));
}

TEST_CASE("PermessageDeflate: what follows a last block may refer to what was before it") {
  Ends ends = agree(settings(true), settings(true));
  CHECK(decompressed(*ends.server, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, 100) == "Hello");
  CHECK(decompressed(*ends.server, "\xf2\x00\x11\x00\x00"s, 100) == "Hello");
}

TEST_CASE("PermessageDeflate: what a server makes of offers") {
  const auto none = "";
  const http::PermessageDeflateOptions plain = settings(false);
  const std::string forgets = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  CHECK(answer(plain, "permessage-deflate") == forgets);
  CHECK(answer(plain, "permessage-deflate; client_max_window_bits") == forgets);
  CHECK(answer(plain, "x-other, permessage-deflate") == forgets);
  CHECK(answer(plain, "permessage-deflate; unknown, permessage-deflate") == forgets);
  CHECK(answer(plain, " , permessage-deflate ;\tclient_max_window_bits = \"1\\0\"") ==
        forgets + "; client_max_window_bits=10");
  CHECK(answer(plain, "permessage-deflate; server_max_window_bits=8") ==
        forgets + "; server_max_window_bits=8");
  const http::PermessageDeflateOptions keeps = settings(true);
  CHECK(answer(keeps, "permessage-deflate") == "permessage-deflate");
  CHECK(answer(keeps, "permessage-deflate; server_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover");
  CHECK(answer(keeps, "permessage-deflate; client_no_context_takeover") ==
        "permessage-deflate; client_no_context_takeover");
  CHECK(answer(keeps, "permessage-deflate; server_max_window_bits=10") ==
        "permessage-deflate; server_max_window_bits=10");
  // A client that does not offer it cannot be asked for a smaller window.
  CHECK(answer(settings(true, 12, 11), "permessage-deflate") ==
        "permessage-deflate; server_max_window_bits=12");
  CHECK(answer(settings(true, 12, 11), "permessage-deflate; client_max_window_bits") ==
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=11");
  for (const char* offers :
       {"", ",", "x-other", "permessage-deflate; unknown", "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=\"\"", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08", "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=x", "permessage-deflate; client_max_window_bits=10;;",
        "permessage-deflate; client_max_window_bits; client_max_window_bits", "permessage-deflate x",
        "permessage-deflate; client_max_window_bits=\"10", "Permessage-Deflate", "permessage-deflate;"}) {
    CAPTURE(offers);
    CHECK(answer(plain, offers) == none);
  }
}

TEST_CASE("PermessageDeflate: what a client takes for an answer") {
  CHECK(http::PermessageDeflate(settings(false)).offer() ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits");
  CHECK(http::PermessageDeflate(settings(true, 10, 11)).offer() ==
        "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10");
  CHECK(agrees(settings(true), "permessage-deflate"));
  CHECK(agrees(settings(true), "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8"));
  CHECK(agrees(settings(false), "permessage-deflate; server_no_context_takeover"));
  CHECK(agrees(settings(true, 10, 11), "permessage-deflate; server_max_window_bits=11"));
  CHECK_FALSE(agrees(settings(false), "permessage-deflate"));
  CHECK_FALSE(agrees(settings(true, 10, 11), "permessage-deflate"));
  CHECK_FALSE(agrees(settings(true, 10, 11), "permessage-deflate; server_max_window_bits=12"));
  CHECK_FALSE(agrees(settings(true, 10, 15), "permessage-deflate; client_max_window_bits=11"));
  for (const char* wrong : {"", "x-other", "permessage-deflate, permessage-deflate", "permessage-deflate; x",
                            "permessage-deflate, x-other", "permessage-deflate; client_max_window_bits"}) {
    CAPTURE(wrong);
    CHECK_FALSE(agrees(settings(true), wrong));
  }
}

TEST_CASE("PermessageDeflate: messages both ways, whatever was agreed on") {
  const bool servers = GENERATE(false, true);
  const bool clients = GENERATE(false, true);
  const int servers_bits = GENERATE(9, 12, 15);
  const int clients_bits = GENERATE(9, 15);
  Ends ends = agree(settings(servers, servers_bits, clients_bits), settings(clients, clients_bits));
  Random random(7);
  std::size_t sent = 0, wire = 0;
  for (int i = 0; i < 30; ++i) {
    const std::string message = some_message(random);
    const bool down = random.one_in(2);
    http::WebSocketCompressor& from = down ? *ends.server : *ends.client;
    http::WebSocketCompressor& to = down ? *ends.client : *ends.server;
    const Result<std::optional<std::string>> data = from.compress(message);
    REQUIRE(data);
    sent += message.size();
    wire += *data ? (*data)->size() : message.size();
    if (!*data) continue;
    const Result<std::string> read = to.decompress(**data, message.size());
    REQUIRE(read);
    REQUIRE(*read == message);
    if (!message.empty() && !(servers && clients)) {
      const Result<std::string> too_long = to.decompress(**data, message.size() - 1);
      REQUIRE((!too_long && too_long.error() == Errc::limit_exceeded));
    }
  }
  CHECK(wire < sent * 3 / 4);
}

TEST_CASE("PermessageDeflate: a peer with the smallest window is sent nothing compressed, and is read") {
  const http::PermessageDeflate server(settings(false));
  http::AgreedCompression agreed = server.accept("permessage-deflate; server_max_window_bits=8");
  REQUIRE(agreed.compressor);
  CHECK(compressed(*agreed.compressor, std::string(1000, 'x')) == std::nullopt);
  CHECK(decompressed(*agreed.compressor, "\xf2\x48\xcd\xc9\xc9\x07\x00"s, 100) == "Hello");
}

TEST_CASE("PermessageDeflate: what would not be shorter, and what is short, is sent as it is") {
  http::PermessageDeflateOptions options = settings(false);
  options.size_min = 10;
  Ends ends = agree(options, options);
  CHECK(compressed(*ends.server, "aaaaaaaaa") == std::nullopt);
  CHECK(compressed(*ends.server, "aaaaaaaaaa").has_value());
  CHECK(compressed(*ends.server, "abcdefghijkl") == std::nullopt);
}

TEST_CASE("PermessageDeflate: a small message cannot fill the memory") {
  Ends ends = agree(settings(false), settings(false));
  const std::string bomb = *compressed(*ends.client, std::string(64 * MiB, '\0'));
  CHECK(bomb.size() < 80 * KiB);
  const Result<std::string> read = ends.server->decompress(bomb, 1 * MiB);
  CHECK((!read && read.error() == Errc::limit_exceeded));
  CHECK(decompressed(*ends.server, bomb, SIZE_MAX).size() == 64 * MiB);
}

TEST_CASE("PermessageDeflate: damaged data never pass for a message that ended well") {
  Ends ends = agree(settings(false), settings(false));
  std::string message;
  for (int i = 0; i < 300; ++i) message += std::to_string(i * i);
  const std::string data = *compressed(*ends.client, message);
  for (std::size_t size = 1; size < data.size(); ++size) {  // one block
    const Result<std::string> read = ends.server->decompress(data.substr(0, size), 10'000);
    CAPTURE(size);
    REQUIRE((!read && read.error() == Errc::bad_message));
  }
  Random random(11);
  for (int i = 0; i < 2'000; ++i) {
    std::string damaged = data;
    damaged[random.up_to(damaged.size() - 1)] ^= static_cast<char>(1 + random.up_to(254));
    const Result<std::string> read = ends.server->decompress(damaged, 10'000);
    if (read) continue;  // deflate has no checksum
    REQUIRE((read.error() == Errc::bad_message || read.error() == Errc::limit_exceeded));
  }
}

namespace {

struct CompressingWorld {
  explicit CompressingWorld(bool keep_context)
      : sim(Seed{1}),
        server(http::Service([this](http::Request request) { return handle(*this, std::move(request)); })),
        scope(sim.reactor(), [](Error) {}) {
    options.compression = std::make_shared<http::PermessageDeflate>(settings(keep_context));
    options.limits.message_max = 1 * MiB;
    scope.spawn(server.listen(sim.network(), "s:80"));
    sim.settle();
  }
  static Task<http::Response> handle(CompressingWorld& world, http::Request request) {
    const auto echo = [&world](WebSocket& socket) -> Task<> {
      for (;;) {
        Result<std::optional<WebSocketMessage>> message = co_await socket.receive().result();
        if (!message) world.failures += to_string(message.error()) + "; ";
        if (!message || !*message) break;
        co_await socket.send(**std::move(message));
      }
    };
    co_return http::accept_web_socket(request, echo, world.options);
  }

  Sim sim;
  http::WebSocketAcceptOptions options;
  std::string failures;
  http::Server server;
  Scope scope;
};

constexpr std::string_view asks =
    "GET / HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

// A client's frame; the mask is zero, and so not visible.
std::string unmasked(int first, std::string_view payload) {
  return std::string(1, static_cast<char>(first)) + static_cast<char>(0x80 | payload.size()) + "\0\0\0\0"s +
         std::string(payload);
}

// Returns what the server sends for these bytes behind a handshake.
std::string answer_to(CompressingWorld& world, std::string_view bytes) {
  Result<std::unique_ptr<Stream>> stream = world.sim.run(world.sim.network().connect("s", 80));
  REQUIRE(stream);
  REQUIRE(world.sim.run((*stream)->write(as_bytes(asks))));
  const std::string head = test::read_for(world.sim, **stream, 100ms);
  REQUIRE(head.find("\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                    "client_no_context_takeover\r\n") != head.npos);
  REQUIRE(world.sim.run((*stream)->write(as_bytes(bytes))));
  return test::read_for(world.sim, **stream, 100ms);
}

}  // namespace

TEST_CASE("WebSocket over HTTP, compressed: messages both ways, of every size") {
  const bool keep_context = GENERATE(false, true);
  CompressingWorld world(keep_context);
  http::WebSocketConnectOptions options;
  options.random_bits = [] { return std::uint32_t{0x12345678}; };
  options.compression = std::make_shared<http::PermessageDeflate>(settings(keep_context));
  Result<http::ConnectedWebSocket> connected =
      world.sim.run(http::connect_web_socket(world.sim.network(), "ws://s/", std::move(options)));
  REQUIRE(connected);
  const auto talk = [](WebSocket& socket) -> Task<std::string> {
    Random random(3);
    std::string wrong;
    for (const std::size_t size : {0, 1, 127, 128, 5000, 65536, 1 << 20}) {
      std::string text;
      while (text.size() < size) text += static_cast<char>('a' + random.up_to(20));
      const WebSocketMessage sent = size % 2 == 0 ? WebSocketMessage(text) : WebSocketMessage::binary(text);
      co_await socket.send(sent);
      std::optional<WebSocketMessage> got = co_await socket.receive();
      if (got != sent) wrong += std::to_string(size) + ' ';
    }
    co_return wrong;
  };
  Result<std::string> wrong = world.sim.run(talk(*connected->socket));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("WebSocket over HTTP, compressed: a server that uses what was not offered is refused") {
  CompressingWorld world(true);
  http::WebSocketConnectOptions options;
  options.random_bits = [] { return std::uint32_t{0x12345678}; };
  options.headers = http::Headers{{"X-Any", "1"}};
  Result<http::ConnectedWebSocket> without =
      world.sim.run(http::connect_web_socket(world.sim.network(), "ws://s/", options));
  CHECK(without);  // and a server that is not asked does not use it
}

TEST_CASE("WebSocket over HTTP, compressed: a peer that breaks a rule is told, and the program too") {
  CompressingWorld world(false);
  const std::string hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;
  CHECK(answer_to(world, unmasked(0xc1, hello)) == "\x81\x05Hello");
  CHECK(answer_to(world, unmasked(0x41, hello.substr(0, 3)) + unmasked(0x80, hello.substr(3))) ==
        "\x81\x05Hello");
  CHECK(answer_to(world, unmasked(0x81, "Hello")) == "\x81\x05Hello");  // not everything has to be compressed
  const auto told = [&](std::string_view bytes) {
    world.sim.settle();
    world.failures = "";  // of the connections before, which were dropped
    const std::string answer = answer_to(world, bytes);
    REQUIRE(answer.size() >= 4);
    REQUIRE(answer[0] == '\x88');
    return static_cast<unsigned char>(answer[2]) << 8 | static_cast<unsigned char>(answer[3]);
  };
  CHECK(told(unmasked(0xc1, "\xff\xff")) == 1007);  // damaged
  CHECK(world.failures == "bad_message: a compressed message is damaged; ");
  CHECK(told(unmasked(0xc1, hello.substr(0, 4))) == 1007);
  CHECK(world.failures == "bad_message: a compressed message ends early; ");
  CHECK(told(unmasked(0xc1, "\x00\x01\x00\xfe\xff\xff\x00"s)) == 1007);  // 0xff, in a block that is stored
  CHECK(world.failures == "bad_message: a text is not UTF-8; ");
  CHECK(told(unmasked(0x41, hello.substr(0, 3)) + unmasked(0xc0, hello.substr(3))) ==
        1002);                                 // on a continuation
  CHECK(told(unmasked(0xc9, "")) == 1002);     // on a ping
  CHECK(told(unmasked(0xa1, hello)) == 1002);  // another bit
  Ends ends = agree(settings(false), settings(false));
  const std::string bomb = *compressed(*ends.client, std::string(1 * MiB + 1, 'x'));
  std::string frame =
      "\xc2\xfe"s + static_cast<char>(bomb.size() >> 8) + static_cast<char>(bomb.size() & 0xff);
  CHECK(told(frame + "\0\0\0\0"s + bomb) == 1009);
  CHECK(world.failures == "limit_exceeded: a message is too long; ");
}
