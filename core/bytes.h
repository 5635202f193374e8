// Bytes: spans of bytes, and units for their sizes.

#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace escapement {

inline constexpr std::size_t KiB = 1024;        // 1,024 bytes
inline constexpr std::size_t MiB = 1024 * KiB;  // 1,048,576 bytes

using Bytes = std::span<const std::byte>;   // bytes to be read, owned by somebody else
using MutableBytes = std::span<std::byte>;  // room to be filled, owned by somebody else

// Returns the bytes of `text`, which must outlive them.
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// Returns the bytes as text, which they must outlive.
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace escapement
