#include <escapement/middleware/client/query.h>

namespace escapement::http {

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += digits[byte >> 4];
    encoded += digits[byte & 15];
  }
  return encoded;
}

Query& Query::add(std::string_view name, std::string_view value) {
  if (!text_.empty()) text_ += '&';
  text_ += percent_encoded(name);
  text_ += '=';
  text_ += percent_encoded(value);
  return *this;
}

Result<Url> with_query(const Url& url, const Query& query) {
  if (query.empty()) return url;
  std::string text = '?' + url.query();
  if (text.size() > 1) text += '&';
  return url.resolve(text + query.text());
}

Request post_form(Url url, const Query& form) {
  return Request(Method::post(), std::move(url),
                 Headers{{"Content-Type", "application/x-www-form-urlencoded"}}, form.text());
}

}  // namespace escapement::http
