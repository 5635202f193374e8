#include <escapement/io/bindings/memory_response_cache.h>

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/io/bindings/detail/simulated_call.h>

namespace escapement {

namespace {

// Calls `see` with each part of a field that commas separate, without the white space around it.
template <class F>
void each_part(std::string_view field, F see) {
  while (!field.empty()) {
    const std::size_t comma = std::min(field.find(','), field.size());
    std::string_view part = field.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) see(part);
    field.remove_prefix(std::min(comma + 1, field.size()));
  }
}

// The parts of Cache-Control that say how long a response is kept.
struct CacheControl {
  explicit CacheControl(std::string_view field) {
    each_part(field, [this](std::string_view part) {
      const std::size_t equals = std::min(part.find('='), part.size());
      const std::string_view name = part.substr(0, equals);
      std::string_view value = part.substr(std::min(equals + 1, part.size()));
      if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
      const auto is = [name](std::string_view other) { return http::equal_ignoring_case(name, other); };
      if (is("no-store") || is("no-cache") || is("private")) forbidden = true;
      if (is("max-age")) max_age = parse_number<std::int64_t>(value);
      if (is("s-maxage")) shared_max_age = parse_number<std::int64_t>(value);
    });
  }
  bool forbidden = false;
  std::optional<std::int64_t> max_age;
  std::optional<std::int64_t> shared_max_age;
};

Duration seconds(std::int64_t count) { return Duration(1s) * std::clamp<std::int64_t>(count, 0, 1 << 30); }

// Returns how long the response is fresh; nullopt: it may not be kept.
std::optional<Duration> lifetime(const http::Headers& headers, SystemTime now, Duration unstated) {
  const CacheControl control(headers.joined("cache-control").value_or(std::string()));
  if (control.forbidden || headers.has("set-cookie")) return std::nullopt;
  const Duration age = seconds(parse_number<std::int64_t>(headers.get_or("age", "0")).value_or(0));
  if (control.shared_max_age) return seconds(*control.shared_max_age) - age;
  if (control.max_age) return seconds(*control.max_age) - age;
  const std::string* const expires = headers.get("expires");
  if (expires == nullptr) return unstated;
  const Result<SystemTime> at = SystemTime::parse_http_date(*expires, now);
  return at ? *at - now : Duration();
}

// Compares weakly (RFC 9110 section 8.8.3.2).
bool same_etag(std::string_view one, std::string_view other) {
  if (one.starts_with("W/")) one.remove_prefix(2);
  if (other.starts_with("W/")) other.remove_prefix(2);
  return one == other;
}

bool not_modified(const http::Headers& conditions, const http::Headers& kept, SystemTime now) {
  const std::optional<std::string> tags = conditions.joined("if-none-match");
  if (tags) {
    const std::string* const etag = kept.get("etag");
    bool found = false;
    each_part(*tags, [&found, etag](std::string_view tag) {
      found = found || (etag != nullptr && (tag == "*" || same_etag(tag, *etag)));
    });
    return found;
  }
  const std::string* const since = conditions.get("if-modified-since");
  const std::string* const modified = kept.get("last-modified");
  if (since == nullptr || modified == nullptr) return false;
  const Result<SystemTime> asked = SystemTime::parse_http_date(*since, now);
  const Result<SystemTime> changed = SystemTime::parse_http_date(*modified, now);
  return asked && changed && *changed <= *asked;
}

// The bytes from `first` up to `end`.
struct ByteRange {
  std::uint64_t first;
  std::uint64_t end;
};

// Returns what "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-COUNT" names of `size` bytes; nullopt for all
// else, and `first` at or behind `end` for what is not there.
std::optional<ByteRange> parse_range(std::string_view field, std::uint64_t size) {
  if (!field.starts_with("bytes=")) return std::nullopt;
  field.remove_prefix(6);
  const std::size_t dash = field.find('-');
  if (dash == field.npos) return std::nullopt;
  const std::optional<std::uint64_t> first = parse_number<std::uint64_t>(field.substr(0, dash));
  const std::optional<std::uint64_t> last = parse_number<std::uint64_t>(field.substr(dash + 1));
  const bool open = dash + 1 == field.size();
  if (dash == 0 && last) return ByteRange{size - std::min(*last, size), size};
  if (!first || (!open && !last)) return std::nullopt;
  return ByteRange{*first, open || *last >= size ? size : *last + 1};
}

}  // namespace

// Returns the time at which an operation takes place.
Task<SystemTime> MemoryResponseCache::begin() {
  co_await detail::simulated_call(options_.latency, options_.fail_one_in, "the cache cannot be reached");
  Reactor& reactor = co_await this_reactor;
  co_return reactor.backend().system_now();
}

Task<std::optional<http::Response>> MemoryResponseCache::match(http::Url url, http::Headers conditions) {
  co_await check_conditions(conditions);
  const SystemTime now = co_await begin();
  const auto at = entries_.find(url.without_credentials());
  if (at == entries_.end()) co_return std::nullopt;
  if (at->second.expires <= now) {
    entries_.erase(at);
    co_return std::nullopt;
  }
  const Entry& entry = at->second;
  http::Response response(entry.status);
  response.headers = entry.headers;
  response.headers.set("Age", std::to_string((now - entry.kept) / Duration(1s)));
  response.headers.set("CF-Cache-Status", "HIT");
  if (not_modified(conditions, entry.headers, now)) {
    response.status = 304;
    co_return std::move(response);
  }
  std::string_view body = entry.body;
  const std::string* const asked = conditions.get("range");
  const std::optional<ByteRange> range =
      asked == nullptr || entry.status != 200 ? std::nullopt : parse_range(*asked, body.size());
  if (range) {
    const std::string size = std::to_string(body.size());
    const bool there = range->first < range->end;
    response.status = there ? 206 : 416;
    body = there ? body.substr(range->first, range->end - range->first) : std::string_view();
    std::string place = "*";
    if (there) place = std::to_string(range->first) + '-' + std::to_string(range->end - 1);
    response.headers.set("Content-Range", "bytes " + place + '/' + size);
    response.headers.remove("Content-Length");
  }
  response.body = http::Body(body);
  co_return std::move(response);
}

Task<> MemoryResponseCache::put(http::Url url, http::Response response) {
  co_await check_put(response);
  Entry entry;
  entry.status = response.status;
  entry.body = co_await response.body.text(options_.body_bytes_max);
  entry.headers = std::move(response.headers);
  entry.kept = co_await begin();
  const std::optional<Duration> fresh = lifetime(entry.headers, entry.kept, options_.unstated_lifetime);
  if (!fresh) co_return;
  entry.expires = entry.kept + *fresh;
  entries_.insert_or_assign(url.without_credentials(), std::move(entry));
}

Task<bool> MemoryResponseCache::remove(http::Url url) {
  const SystemTime now = co_await begin();
  const auto at = entries_.find(url.without_credentials());
  if (at == entries_.end()) co_return false;
  const bool fresh = at->second.expires > now;
  entries_.erase(at);
  co_return fresh;
}

}  // namespace escapement
