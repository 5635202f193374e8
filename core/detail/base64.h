// Base64 (RFC 4648 section 4), padded.

#pragma once

#include <string>
#include <string_view>

namespace escapement {

// Returns the bytes as base64.
std::string base64(std::string_view bytes);

}  // namespace escapement
