#include <escapement/middleware/client/detail/challenges.h>

#include <escapement/core/detail/ascii.h>
#include <escapement/io/http/detail/characters.h>

namespace escapement::http::detail {

namespace {

void skip(std::string_view& text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
}

std::string take_token(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && token_characters.has(text[size])) ++size;
  std::string token(text.substr(0, size));
  text.remove_prefix(size);
  return token;
}

// A token or a quoted string. False: neither.
bool take_value(std::string_view& text, std::string& value) {
  if (!text.starts_with('"')) {
    value = take_token(text);
    return !value.empty();
  }
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return true;
    }
    if (text[at] == '\\' && ++at == text.size()) return false;
    value += text[at];
  }
  return false;
}

// A name before '=' is a parameter of the last challenge, and a name before a space begins the next one.
void add_challenges(std::string_view text, std::vector<Challenge>& to) {
  const std::size_t first = to.size();
  for (;;) {
    skip(text, ", \t");
    std::string name = take_token(text);
    if (name.empty()) return;
    const std::string_view after = text;
    skip(text, " \t");
    if (!text.starts_with('=') || to.size() == first) {
      text = after;
      to.push_back(Challenge{std::move(name), {}});
      continue;
    }
    text.remove_prefix(1);
    skip(text, " \t");
    std::string value;
    if (!take_value(text, value)) return;
    to.back().parameters.emplace_back(lower(name), std::move(value));
  }
}

}  // namespace

std::string_view Challenge::get(std::string_view name) const {
  for (const auto& [parameter, value] : parameters) {
    if (parameter == name) return value;
  }
  return {};
}

std::vector<Challenge> challenges_of(const Headers& headers, std::string_view field) {
  std::vector<Challenge> challenges;
  for (const Headers::Field& line : headers) {
    if (equal_ignoring_case(line.name, field)) add_challenges(line.value, challenges);
  }
  return challenges;
}

}  // namespace escapement::http::detail
