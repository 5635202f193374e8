// By which version of HTTP a connection speaks.

#pragma once

#include <string_view>

namespace escapement::http::detail {

// Returns whether it is HTTP/1.x, by what its handshake has agreed on (Stream::agreed_protocol; the names are
// those of RFC 7301 section 6). A peer that agreed on nothing speaks it, too.
constexpr bool is_http1(std::string_view agreed) {
  return agreed.empty() || agreed == "http/1.1" || agreed == "http/1.0";
}

}  // namespace escapement::http::detail
