#include <escapement/middleware/observe/detail/json_text.h>

#include <escapement/core/detail/utf8.h>

namespace escapement::http::detail {

std::string json_text(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  escapement::detail::Utf8Checker checker;
  const bool is_utf8 = checker.take(text) && checker.complete();
  std::string escaped = "\"";
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (escaped += '\\') += c;
    } else if ((byte >= ' ' && byte < 0x7f) || (byte > 0x7f && is_utf8)) {
      escaped += c;
    } else {
      escaped += "\\u00";
      escaped += digits[byte >> 4];
      escaped += digits[byte & 15];
    }
  }
  escaped += '"';
  return escaped;
}

}  // namespace escapement::http::detail
