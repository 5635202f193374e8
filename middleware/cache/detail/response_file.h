// The form of a stored response in a file: the body, then the head, then a trailer of fixed length.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/middleware/cache/cache_policy.h>

namespace escapement::http::detail {

// The numbers of a trailer.
class ResponseTrailer {
 public:
  static constexpr std::size_t size = 48;

  std::uint32_t head_size = 0;
  std::uint64_t body_size = 0;
  std::uint32_t body_checksum = 0;
  std::uint32_t checksum = 0;  // of the head, and of the trailer before it
};

// A head with the key that it was stored for.
class KeyedHead {
 public:
  KeyedHead(std::string k, StoredHead h) : key(std::move(k)), head(std::move(h)) {}
  std::string key;
  StoredHead head;
};

// Returns the CRC-32 of the bytes that `before` is of, and `bytes` behind them. That of none is 0.
std::uint32_t checksum(std::uint32_t before, std::string_view bytes);

// Returns the head and the trailer for a body.
std::string file_end(const std::string& key, const StoredHead& head, std::uint64_t body_size,
                     std::uint32_t body_checksum);

// Reads a trailer; nullopt if these bytes are none.
std::optional<ResponseTrailer> read_trailer(std::string_view bytes);

// Reads the end of a file; nullopt if it is torn.
std::optional<KeyedHead> read_file_end(std::string_view head_and_trailer, const ResponseTrailer& trailer);

}  // namespace escapement::http::detail
