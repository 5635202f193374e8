#include <escapement/io/http/known_fields.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <escapement/io/http/characters.h>

namespace escapement::http::detail {

namespace {

// What tells the names that matter from nearly all others: their length, and how they begin.
constexpr unsigned sign(std::size_t size, char first) {
  return static_cast<unsigned>(size) << 8 | (static_cast<unsigned char>(first) | 0x20U);
}

// As it is usually written, which is one comparison with a constant, or else without case.
template <std::size_t size>
bool is(std::string_view name, const char (&known)[size]) {
  if (name.size() != size - 1) return false;
  return std::memcmp(name.data(), known, size - 1) == 0 || same_ignoring_case(name.data(), known, size - 1);
}

}  // namespace

KnownFields::KnownFields(std::string_view t, std::span<Headers::Place> p) : text(t), places(p) {
  for (Headers::Place& place : p) {
    const char* const value = t.data() + place.value_at;
    std::uint32_t size = place.value_size;
    while (size > 0 && static_cast<unsigned char>(value[size - 1]) <= ' ') --size;  // space, or tab
    place.value_size = size;
    const std::string_view name = t.substr(place.name_at, place.name_size);
    switch (sign(place.name_size, t[place.name_at])) {
      case sign(4, 'h'):
        if (is(name, "Host") && hosts++ == 0) host = {value, size};
        break;
      case sign(6, 'e'):
        if (expect.empty() && is(name, "Expect")) expect = {value, size};
        break;
      case sign(10, 'c'):
        if (is(name, "Connection")) see_connection({value, size});
        break;
      case sign(14, 'c'):
        if (is(name, "Content-Length") && content_lengths++ == 0) content_length = {value, size};
        break;
      case sign(17, 't'): coded = coded || is(name, "Transfer-Encoding"); break;
      default: break;
    }
  }
}

void KnownFields::see_connection(std::string_view value) {
  const bool lives = value == "keep-alive";
  keep_alive = keep_alive || lives || list_contains(value, "keep-alive");
  close = close || (!lives && list_contains(value, "close"));
}

std::string KnownFields::codings() const {
  std::string list;
  bool first = true;
  for (const Headers::Place& place : places) {
    if (!is(text.substr(place.name_at, place.name_size), "Transfer-Encoding")) continue;
    if (!std::exchange(first, false)) list += ", ";
    list += text.substr(place.value_at, place.value_size);
  }
  return list;
}

bool valid_host(std::string_view host) {
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (host.empty() || bracket == host.npos) return false;
  const std::size_t colon = host.find(':', bracket);
  if (bracket != 0 && bracket + 1 != std::min(colon, host.size())) return false;
  if (colon != host.npos && host.find_first_not_of("0123456789", colon + 1) != host.npos) return false;
  return host_characters.has_all(host);
}

}  // namespace escapement::http::detail
