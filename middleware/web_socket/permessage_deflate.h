// PermessageDeflate: WebSocket messages compressed by deflate, as browsers ask for it.

#pragma once

#include <cstddef>

#include <escapement/io/http/web_socket_compression.h>

namespace escapement::http {

// Settings of PermessageDeflate.
class PermessageDeflateOptions {
 public:
  // Each end keeps what it sent, so that a message can refer to the ones before it. Better for many
  // small messages that resemble each other; costs up to 300 KiB a connection for as long as it lasts (less
  // with smaller windows). Without it a connection that waits keeps nothing. A peer may insist on keeping
  // nothing; it then is so.
  bool keep_context = false;
  // The most that one message of ours, and of the peer, may refer back: a power of 2, 9 to 15. A peer may ask
  // for less.
  int window_bits = 15;
  int peer_window_bits = 15;
  // The work that compression may be: 1, the least, to 9.
  int level = 6;
  // Shorter messages are sent as they are, in bytes.
  std::size_t size_min = 128;
};

// The extension permessage-deflate. Share one among all connections:
//
//     const auto deflate = std::make_shared<http::PermessageDeflate>();
//     http::WebSocketAcceptOptions options;
//     options.compression = deflate;
//     co_return http::accept_web_socket(request, echo, std::move(options));
//
// A message that would not become shorter is sent as it is. WebSocketLimits::message_max holds for a peer's
// message as it is decompressed: a longer one ends the connection with 1009, and no more than that is ever
// decompressed.
//
// Secrets beside text that an attacker chooses must not be compressed together (CRIME, BREACH): the length
// tells them.
//
// A window of 8 bits, which zlib cannot write, is agreed to, and nothing is compressed then.
//
// Source: RFC 7692.
class PermessageDeflate final : public WebSocketCompression {
 public:
  // Windows outside of 9 to 15 and levels outside of 1 to 9 are a programming error, and end the program.
  explicit PermessageDeflate(PermessageDeflateOptions options = PermessageDeflateOptions());

  std::string offer() const override;
  AgreedCompression accept(std::string_view offers) const override;
  Result<std::unique_ptr<WebSocketCompressor>> agree(std::string_view answer) const override;

 private:
  const PermessageDeflateOptions options_;
};

}  // namespace escapement::http
