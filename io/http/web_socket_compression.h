// WebSocketCompression: what a WebSocket's two ends agree on to make messages shorter (RFC 7692).
//
// permessage_deflate.h (middleware/web_socket) is the one that exists, natively: a Worker's or browser's host
// compresses by itself. The interface is here so that programs without compression link none.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement::http {

// Compresses the messages of one connection, and decompresses those of its peer, each in their order.
class WebSocketCompressor {
 public:
  virtual ~WebSocketCompressor() = default;

  // Returns what is to be sent for a message; nullopt: send it as it is. Fails with overloaded without
  // memory.
  virtual Result<std::optional<std::string>> compress(std::string_view message) = 0;
  // Returns the peer's message. Fails with bad_message for damaged data, with limit_exceeded beyond
  // `bytes_max`, with overloaded without memory; then the connection ends.
  virtual Result<std::string> decompress(std::string_view data, std::size_t bytes_max) = 0;
};

// A server's answer to a client that asks for compression.
class AgreedCompression {
 public:
  // The value of its Sec-WebSocket-Extensions; empty: none is used.
  std::string field;
  // Its end of the connection; null: none is used.
  std::unique_ptr<WebSocketCompressor> compressor;
};

// Settings of both ends, which make a compressor for each connection. Const, so that many connections share
// them, on several threads too.
class WebSocketCompression {
 public:
  virtual ~WebSocketCompression() = default;

  // Returns the value of Sec-WebSocket-Extensions with which a client asks.
  virtual std::string offer() const = 0;
  // Returns what a server makes of a client's Sec-WebSocket-Extensions. Offers that it cannot take are left.
  virtual AgreedCompression accept(std::string_view offers) const = 0;
  // Returns a client's end, of the server's Sec-WebSocket-Extensions. Fails with bad_message if the server
  // answers what was not offered: then the connection must not be used (RFC 7692 section 7.1).
  virtual Result<std::unique_ptr<WebSocketCompressor>> agree(std::string_view answer) const = 0;
};

}  // namespace escapement::http
