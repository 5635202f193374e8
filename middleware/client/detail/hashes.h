// MD5 and SHA-256, for digest authentication, and for telling credentials apart in a cache, on every host.
// MD5 is broken: nothing else should use it.

#pragma once

#include <string>
#include <string_view>

namespace escapement::http::detail {

// Returns the MD5 of `bytes` (RFC 1321), as 32 hexadecimal digits.
std::string md5_hex(std::string_view bytes);

// Returns the SHA-256 of `bytes` (FIPS 180-4), as 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace escapement::http::detail
