#include "tools/fetch/attachment.h"

#include <algorithm>

#include <escapement/core/detail/ascii.h>
#include <escapement/io/http/message.h>

namespace escapement {

namespace {

// Takes a value from the beginning of `text`, a token or a quoted string.
std::string take_value(std::string_view& text) {
  std::string value;
  const char quote =
      text.empty() ? '\0' : text.front();  // some servers send '...', which is no quoted string
  if (quote != '"' && quote != '\'') {
    const std::size_t end = std::min(text.find(';'), text.size());
    value = http::without_white_space(text.substr(0, end));
    text.remove_prefix(end);
    return value;
  }
  std::size_t at = 1;
  for (; at < text.size() && text[at] != quote; ++at) {
    if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == quote || text[at + 1] == '\\')) ++at;
    value += text[at];
  }
  text.remove_prefix(std::min(at + 1, text.size()));
  return value;
}

}  // namespace

std::string attachment_name(std::string_view text) {
  std::string found;
  const std::string_view type = text.substr(0, text.find(';'));
  if (type.find('=') == type.npos) text.remove_prefix(type.size());  // "attachment", which some leave out
  while (!text.empty() && found.empty()) {
    text.remove_prefix(text.starts_with(';') ? 1 : 0);
    const std::size_t equals = text.find('=');
    if (equals == text.npos) break;
    const std::string name(http::without_white_space(text.substr(0, equals)));
    text.remove_prefix(equals + 1);
    while (text.starts_with(' ')) text.remove_prefix(1);
    const std::string value = take_value(text);
    if (equal_ignoring_case(name, "filename")) found = value;
    text.remove_prefix(std::min(text.find(';'), text.size()));
  }
  found = found.substr(found.find_last_of("/\\") + 1);
  const bool control =
      std::ranges::any_of(found, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return found == "." || found == ".." || control ? std::string() : found;
}

}  // namespace escapement
