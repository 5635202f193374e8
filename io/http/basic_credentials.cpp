#include <escapement/io/http/basic_credentials.h>

#include <algorithm>
#include <cstdint>

namespace escapement::http {

Result<std::string> basic_credentials(std::string_view user, std::string_view password) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (user.find(':') != std::string_view::npos)
    return Error(Errc::invalid_argument, "a user must not have a colon");
  if (std::ranges::any_of(user, is_control) || std::ranges::any_of(password, is_control)) {
    return Error(Errc::invalid_argument, "credentials must not have control characters");
  }
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string pair = std::string(user) + ':' + std::string(password);
  std::string text = "Basic ";
  for (std::size_t at = 0; at < pair.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, pair.size() - at);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < count ? static_cast<unsigned char>(pair[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

}  // namespace escapement::http
