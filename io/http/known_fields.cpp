#include <escapement/io/http/known_fields.h>

#include <algorithm>
#include <utility>

#include <escapement/io/http/characters.h>

namespace escapement::http::detail {

namespace {

// What tells the names that matter from nearly all others: their length, and how they begin.
constexpr unsigned sign(std::size_t size, char first) {
  return static_cast<unsigned>(size) << 8 | (static_cast<unsigned char>(first) | 0x20U);
}

// As it is usually written, or else without case.
bool is(std::string_view name, std::string_view known) {
  return name == known || equal_ignoring_case(name, known);
}

}  // namespace

KnownFields::KnownFields(std::string_view t, std::span<Headers::Place> p) : text(t), places(p) {
  for (Headers::Place& place : p) {
    const char* const value = t.data() + place.value_at;
    std::uint32_t size = place.value_size;
    while (size > 0 && static_cast<unsigned char>(value[size - 1]) <= ' ') --size;  // space, or tab
    place.value_size = size;
    const char* const name = t.data() + place.name_at;
    switch (sign(place.name_size, *name)) {
      case sign(4, 'h'):
      case sign(6, 'e'):
      case sign(10, 'c'):
      case sign(14, 'c'):
      case sign(17, 't'): see({name, place.name_size}, {value, size}); break;
      default: break;
    }
  }
}

void KnownFields::see(std::string_view name, std::string_view value) {
  if (is(name, "Host")) {
    if (hosts++ == 0) host = value;
  } else if (is(name, "Connection")) {
    const bool lives = value == "keep-alive";
    keep_alive = keep_alive || lives || list_contains(value, "keep-alive");
    close = close || (!lives && list_contains(value, "close"));
  } else if (is(name, "Content-Length")) {
    if (content_lengths++ == 0) content_length = value;
  } else if (is(name, "Transfer-Encoding")) {
    coded = true;
  } else if (is(name, "Expect") && expect.empty()) {
    expect = value;
  }
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
