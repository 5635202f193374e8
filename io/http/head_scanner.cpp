#include <escapement/io/http/head_scanner.h>

#include <cstring>

#include <escapement/io/http/characters.h>

namespace escapement::http::detail {

namespace {

// How long the usual method is that `text` begins with; 0 where it is none. There are eight bytes.
std::size_t method_size(const char* text) {
  const auto begins_with = [text](const auto& method) {
    return std::memcmp(text, method, sizeof method - 1) == 0;
  };
  if (begins_with("GET ") || begins_with("PUT ")) return 3;
  if (begins_with("POST ") || begins_with("HEAD ")) return 4;
  if (begins_with("PATCH ") || begins_with("TRACE ")) return 5;
  if (begins_with("DELETE ")) return 6;
  return begins_with("OPTIONS ") ? 7 : 0;
}

// The first byte from `at` on that no field name has; there is one before `end`.
const char* end_of_name(const char* at, const char* end) {
  while (end - at >= 8) {
    const std::uint64_t others = Eight(at).others_than_letters();
    if (others == 0) {
      at += 8;
      continue;
    }
    at += Eight::place(others);
    if (!token_characters.has(*at)) return at;
    ++at;
  }
  while (token_characters.has(*at)) ++at;
  return at;
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

bool scan_head(std::string_view text, ScannedHead& head) {
  // Every loop below ends at a line feed, and this one is the last.
  const char* const begin = text.data();
  const std::size_t last = !text.empty() && text.back() == '\n' ? text.size() - 1 : text.rfind('\n');
  if (last == text.npos) return false;
  const char* const end = begin + last + 1;

  constexpr std::size_t shortest = std::string_view("GET / HTTP/1.0\r\n").size();
  const std::size_t method_is = last + 1 < shortest ? 0 : method_size(begin);
  if (method_is == 0) return false;
  const char* at = begin + method_is + 1;
  if (*at != '/') return false;
  const char* const target = at;
  while (target_characters.has(*at)) ++at;
  head.method = {begin, method_is};
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
    const char* const name_end = at = end_of_name(at, end);
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
