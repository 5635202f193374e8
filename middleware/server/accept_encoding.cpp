#include <escapement/middleware/server/accept_encoding.h>

namespace escapement::http {

namespace {

// Parses a weight into thousandths (RFC 9110 section 12.4.2); nullopt when it is malformed.
std::optional<int> weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int thousandths = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (c < '0' || c > '9') return std::nullopt;
    thousandths += (c - '0') * unit;
    unit /= 10;
  }
  if (thousandths > 1000) return std::nullopt;
  return thousandths;
}

struct Preference {
  std::string_view coding;
  int weight = 1000;
};

std::optional<Preference> preference(std::string_view element) {
  const std::size_t semicolon = element.find(';');
  Preference preference{without_white_space(element.substr(0, semicolon))};
  if (preference.coding.empty()) return std::nullopt;
  if (semicolon == element.npos) return preference;
  const std::string_view parameter = without_white_space(element.substr(semicolon + 1));
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return std::nullopt;
  const std::optional<int> given = weight(parameter.substr(2));
  if (!given) return std::nullopt;
  preference.weight = *given;
  return preference;
}

}  // namespace

GzipPreference gzip_preference(const Headers& request_headers) {
  const std::optional<std::string> value = request_headers.joined("accept-encoding");
  if (!value) return GzipPreference::refused;
  std::optional<int> gzip;
  std::optional<int> identity;
  std::optional<int> others;
  std::string_view list = *value;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::optional<Preference> next = preference(list.substr(0, comma));
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
    if (!next) continue;
    if (equal_ignoring_case(next->coding, "gzip") || equal_ignoring_case(next->coding, "x-gzip")) {
      gzip = next->weight;
    } else if (equal_ignoring_case(next->coding, "identity")) {
      identity = next->weight;
    } else if (next->coding == "*") {
      others = next->weight;
    }
  }
  const int of_gzip = gzip.value_or(others.value_or(0));
  if (of_gzip == 0) return GzipPreference::refused;
  // If identity is not mentioned it is acceptable, unless "*;q=0" says otherwise.
  const bool identity_refused = identity == 0 || (!identity && others == 0);
  if (identity_refused) return GzipPreference::required;
  return identity && *identity > of_gzip ? GzipPreference::refused : GzipPreference::welcome;
}

}  // namespace escapement::http
