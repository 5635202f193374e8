// SHA-256 (FIPS 180-4), for digests of credentials where there may be no TLS library.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace escapement::http::detail {

// Returns the digest of `text`.
std::array<std::uint8_t, 32> sha256(std::string_view text);

}  // namespace escapement::http::detail
