#include <escapement/io/http/h1/known_fields.h>

#include <algorithm>
#include <utility>

#include <escapement/io/http/detail/characters.h>

namespace escapement::http::detail {

void KnownFields::see_connection(std::string_view value) {
  const bool lives = value == "keep-alive";
  keep_alive = keep_alive || lives || list_contains(value, "keep-alive");
  close = close || (!lives && list_contains(value, "close"));
  upgrade = upgrade || (!lives && list_contains(value, "upgrade"));
}

std::string KnownFields::codings() const {
  std::string list;
  bool first = true;
  for (const Headers::Place& place : places) {
    if (!is_field(text.substr(place.name_at, place.name_size), "Transfer-Encoding")) continue;
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
