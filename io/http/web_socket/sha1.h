// SHA-1 (FIPS 180-4), which WebSocket's handshake needs to show that a server speaks it; no secret depends
// on it there. For nothing else: SHA-1 is broken.

#pragma once

#include <string>
#include <string_view>

namespace escapement::http::detail {

// Returns the 20 bytes of the hash of a short text.
std::string sha1(std::string_view text);

}  // namespace escapement::http::detail
