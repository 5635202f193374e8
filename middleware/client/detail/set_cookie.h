// The parts of a Set-Cookie field (RFC 6265bis section 5.6).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/system_time.h>

namespace escapement::http::detail {

struct SetCookie {
  std::string name;
  std::string value;
  std::string domain;  // in lower case, without a dot before it; empty: none, or an invalid one
  std::string path;    // empty: none, or one that does not begin with '/'
  std::optional<std::int64_t> max_age;  // seconds
  std::optional<SystemTime> expires;
  bool secure = false;
  bool http_only = false;
};

// Returns the parts; nullopt for a field that is to be ignored: with a control character, or without a name
// and a value.
std::optional<SetCookie> parse_set_cookie(std::string_view field);

}  // namespace escapement::http::detail
