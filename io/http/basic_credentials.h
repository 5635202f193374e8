// basic_credentials: a user and a password as a value of Authorization or Proxy-Authorization.

#pragma once

#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement::http {

// Returns the value for a user and a password: "Basic QWxhZGRpbjpvcGVu" (RFC 7617). A user
// with a colon or a control character in either is Errc::invalid_argument.
Result<std::string> basic_credentials(std::string_view user, std::string_view password);

}  // namespace escapement::http
