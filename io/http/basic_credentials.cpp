#include <escapement/io/http/basic_credentials.h>

#include <algorithm>

#include <escapement/core/detail/base64.h>

namespace escapement::http {

Result<std::string> basic_credentials(std::string_view user, std::string_view password) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (user.find(':') != std::string_view::npos)
    return Error(Errc::invalid_argument, "a user must not have a colon");
  if (std::ranges::any_of(user, is_control) || std::ranges::any_of(password, is_control)) {
    return Error(Errc::invalid_argument, "credentials must not have control characters");
  }
  return "Basic " + base64(std::string(user) + ':' + std::string(password));
}

}  // namespace escapement::http
