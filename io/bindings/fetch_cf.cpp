#include <escapement/io/bindings/fetch_cf.h>

#include <algorithm>

namespace escapement {

namespace {

using JsonProperties = std::vector<std::pair<std::string, std::string>>;

void set_property(JsonProperties& all, std::string_view name, std::string json) {
  const auto at =
      std::find_if(all.begin(), all.end(), [name](const auto& each) { return each.first == name; });
  if (at != all.end()) {
    at->second = std::move(json);
  } else {
    all.emplace_back(name, std::move(json));
  }
}

std::string whole_seconds(Duration length) {
  std::int64_t count = length / Duration(1s);
  if (Duration(1s) * count > length) --count;  // division rounds toward zero
  return std::to_string(count);
}

}  // namespace

// Escapes as JSON does (RFC 8259 section 7).
std::string FetchCf::quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

FetchCf& FetchCf::set(std::string_view name, std::string_view json) {
  set_property(properties_, name, std::string(json));
  return *this;
}

FetchCf& FetchCf::cache_ttl(Duration length) { return set("cacheTtl", whole_seconds(length)); }

FetchCf& FetchCf::cache_ttl_by_status(std::string_view statuses, Duration length) {
  set_property(by_status_, statuses, whole_seconds(length));
  return *this;
}

FetchCf& FetchCf::cache_tags(const std::vector<std::string>& tags) {
  std::string list;
  for (const std::string& tag : tags) list += (list.empty() ? "" : ",") + quoted(tag);
  return set("cacheTags", '[' + list + ']');
}

std::string FetchCf::json() const {
  const auto object = [](const JsonProperties& all) {
    std::string text;
    for (const auto& [name, json] : all) text += (text.empty() ? "" : ",") + quoted(name) + ':' + json;
    return '{' + text + '}';
  };
  JsonProperties all = properties_;
  if (!by_status_.empty()) set_property(all, "cacheTtlByStatus", object(by_status_));
  return object(all);
}

}  // namespace escapement
