#include <escapement/io/http/head_scanner.h>

#include <cstring>

#include <escapement/io/http/characters.h>

namespace escapement::http::detail {

namespace {

// The method and the space behind it; empty where it is no usual one.
std::string_view method_of(std::string_view text) {
  for (const std::string_view method :
       {"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE "}) {
    if (text.starts_with(method)) return text.substr(0, method.size());
  }
  return {};
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

bool scan_head(std::string_view text, ScannedHead& head) {
  // Every loop below ends at a line feed, and this one is the last.
  const char* const begin = text.data();
  const std::size_t last = !text.empty() && text.back() == '\n' ? text.size() - 1 : text.rfind('\n');
  if (last == text.npos) return false;
  const char* const end = begin + last + 1;

  const std::string_view method = method_of({begin, last + 1});
  const char* at = begin + method.size();
  if (method.empty() || *at != '/') return false;
  const char* const target = at;
  while (target_characters.has(*at)) ++at;
  head.method = method.substr(0, method.size() - 1);
  head.target = {target, static_cast<std::size_t>(at - target)};

  constexpr std::string_view version = " HTTP/1.";
  if (end - at < 13 || std::memcmp(at, version.data(), version.size()) != 0) return false;
  if ((at[8] != '0' && at[8] != '1') || at[9] != '\r' || at[10] != '\n') return false;
  head.minor_version = at[8] - '0';
  at += 11;

  Headers::Place* place = head.places.data();
  while (at != end && *at != '\r') {
    if (place == head.places.data() + head.places.size()) return false;
    const char* const name = at;
    while (token_characters.has(*at)) ++at;
    const char* const name_end = at;
    if (*at != ':' || at == name) return false;
    do ++at;
    while (is_blank(*at));
    const char* const value = at;
    at = find_control(at, end);
    if (*at != '\r' || at[1] != '\n') return false;
    const char* value_end = at;
    while (value_end != value && is_blank(value_end[-1])) --value_end;
    *place++ = {static_cast<std::uint32_t>(name - begin), static_cast<std::uint32_t>(name_end - name),
                static_cast<std::uint32_t>(value - begin), static_cast<std::uint32_t>(value_end - value)};
    at += 2;
  }
  if (at == end || at[1] != '\n') return false;
  head.size = static_cast<std::size_t>(at + 2 - begin);
  head.count = static_cast<std::size_t>(place - head.places.data());
  return true;
}

}  // namespace escapement::http::detail
