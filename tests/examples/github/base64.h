// Base64 (RFC 4648), in the two alphabets that GitHub uses.

#pragma once

#include <string>
#include <string_view>

namespace escapement::github {

// Returns the text of `bytes`, padded.
std::string to_base64(std::string_view bytes);
// The same for JSON web tokens: with "-" and "_", without padding.
std::string to_base64url(std::string_view bytes);
// Returns the bytes of a text in either alphabet. Skips line ends; stops at anything else that is none of it.
std::string from_base64(std::string_view text);

}  // namespace escapement::github
