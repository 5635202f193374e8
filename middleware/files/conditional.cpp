#include <escapement/middleware/files/conditional.h>

namespace escapement::http {

namespace {

bool is_weak(std::string_view etag) { return etag.starts_with("W/"); }
std::string_view opaque(std::string_view etag) { return is_weak(etag) ? etag.substr(2) : etag; }

// Returns the entity-tag at the start of `list`, or empty if there is none.
std::string_view first_etag(std::string_view list) {
  const std::size_t open = is_weak(list) ? 2 : 0;
  if (list.substr(open, 1) != "\"") return {};
  const std::size_t close = list.find('"', open + 1);
  return close == list.npos ? std::string_view() : list.substr(0, close + 1);
}

std::int64_t seconds(SystemTime time) { return time.unix_milliseconds() / 1000; }

std::optional<SystemTime> date(const Headers& headers, std::string_view name, SystemTime now) {
  const std::string* text = headers.get(name);
  if (text == nullptr) return std::nullopt;
  Result<SystemTime> time = SystemTime::parse_http_date(*text, now);
  if (!time) return std::nullopt;
  return *time;
}

bool unchanged_since(const Validators& validators, SystemTime time) {
  return validators.modified && seconds(*validators.modified) <= seconds(time);
}

}  // namespace

bool etag_list_matches(std::string_view list, std::string_view etag, bool weakly) {
  list = without_white_space(list);
  if (list == "*") return true;
  while (!list.empty()) {
    if (list.front() == ',') {
      list = without_white_space(list.substr(1));
      continue;
    }
    const std::string_view tag = first_etag(list);
    if (tag.empty()) return false;
    const bool comparable = weakly || (!is_weak(tag) && !is_weak(etag));
    if (comparable && opaque(tag) == opaque(etag)) return true;
    list = without_white_space(list.substr(tag.size()));
    if (!list.empty() && list.front() != ',') return false;
  }
  return false;
}

Precondition evaluate(const Request& request, const Validators& validators, SystemTime now) {
  const Headers& headers = request.headers;
  const bool reads = request.method == Method::get() || request.method == Method::head();
  const std::optional<std::string> if_match = headers.joined("if-match");
  const std::optional<SystemTime> if_unmodified = date(headers, "if-unmodified-since", now);
  if (if_match) {
    if (!etag_list_matches(*if_match, validators.etag, false)) return Precondition::failed;
  } else if (if_unmodified && validators.modified && !unchanged_since(validators, *if_unmodified)) {
    return Precondition::failed;
  }
  const std::optional<std::string> if_none_match = headers.joined("if-none-match");
  if (if_none_match) {
    if (!etag_list_matches(*if_none_match, validators.etag, true)) return Precondition::holds;
    return reads ? Precondition::not_modified : Precondition::failed;
  }
  const std::optional<SystemTime> if_modified = date(headers, "if-modified-since", now);
  if (reads && if_modified && unchanged_since(validators, *if_modified)) return Precondition::not_modified;
  return Precondition::holds;
}

bool if_range_holds(const Request& request, const Validators& validators, SystemTime now) {
  const std::string* value = request.headers.get("if-range");
  if (value == nullptr) return true;
  if (value->ends_with('"')) return !is_weak(*value) && *value == validators.etag;
  const std::optional<SystemTime> time = date(request.headers, "if-range", now);
  if (!time || !validators.modified) return false;
  const std::int64_t changed = seconds(*validators.modified);
  return seconds(*time) == changed && seconds(now) > changed;
}

}  // namespace escapement::http
