#include <escapement/io/http/h1/known_fields.h>

#include <utility>

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

}  // namespace escapement::http::detail
