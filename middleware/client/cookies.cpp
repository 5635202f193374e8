#include <escapement/middleware/client/cookies.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/reactor.h>
#include <escapement/middleware/client/detail/set_cookie.h>
#include <escapement/middleware/client/public_suffix.h>

namespace escapement::http {

namespace {

bool is_address(std::string_view host) {
  return host.find(':') != host.npos || host.find_first_not_of("0123456789.") == host.npos;
}

// RFC 6265bis section 5.1.3.
bool domain_matches(std::string_view host, std::string_view domain) {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.' && !is_address(host);
}

// RFC 6265bis section 5.1.4.
bool path_matches(std::string_view path, std::string_view cookie_path) {
  if (!path.starts_with(cookie_path)) return false;
  return path.size() == cookie_path.size() || cookie_path.ends_with('/') || path[cookie_path.size()] == '/';
}

std::string default_path(std::string_view path) {
  const std::size_t last = path.rfind('/');
  return last == 0 || last == path.npos ? "/" : std::string(path.substr(0, last));
}

bool starts_ignoring_case(std::string_view text, std::string_view begin) {
  return text.size() >= begin.size() && equal_ignoring_case(text.substr(0, begin.size()), begin);
}

bool prefix_allows(const Cookie& cookie, bool path_was_given) {
  const std::string& shown = cookie.name.empty() ? cookie.value : cookie.name;
  const bool secure_prefix = starts_ignoring_case(shown, "__Secure-");
  const bool host_prefix = starts_ignoring_case(shown, "__Host-");
  if (cookie.name.empty()) return !secure_prefix && !host_prefix;
  if (secure_prefix) return cookie.secure;
  if (host_prefix) return cookie.secure && cookie.host_only && path_was_given && cookie.path == "/";
  return true;
}

bool same_cookie(const Cookie& a, const Cookie& b) {
  return a.name == b.name && a.domain == b.domain && a.host_only == b.host_only && a.path == b.path;
}

bool has_expired(const Cookie& cookie, SystemTime now) { return cookie.persistent && cookie.expires <= now; }

// Which of two goes first: of the same kind the one that was not used for longer.
bool goes_before(const Cookie& a, const Cookie& b) {
  return std::pair(a.secure, a.used) < std::pair(b.secure, b.used);
}

void drop_one(std::vector<Cookie>& cookies, std::string_view domain) {
  auto first = cookies.end();
  for (auto at = cookies.begin(); at != cookies.end(); ++at) {
    if (!domain.empty() && at->domain != domain) continue;
    if (first == cookies.end() || goes_before(*at, *first)) first = at;
  }
  if (first != cookies.end()) cookies.erase(first);
}

}  // namespace

void CookieJar::store(const Url& url, const Headers& response, SystemTime now) {
  const bool encrypted = url.scheme() == "https";
  for (const Headers::Field& field : response) {
    if (!equal_ignoring_case(field.name, "Set-Cookie")) continue;
    std::optional<detail::SetCookie> set = detail::parse_set_cookie(field.value);
    if (!set || set->name.size() + set->value.size() > options_.cookie_bytes_max) continue;
    Cookie cookie;
    cookie.name = std::move(set->name);
    cookie.value = std::move(set->value);
    cookie.secure = set->secure;
    cookie.http_only = set->http_only;
    cookie.domain = url.host();
    if (!set->domain.empty() && is_public_suffix(set->domain) && !is_address(set->domain)) {
      if (set->domain != url.host()) continue;
    } else if (!set->domain.empty()) {
      if (!domain_matches(url.host(), set->domain)) continue;
      cookie.host_only = is_address(url.host());
      cookie.domain = set->domain;
    }
    cookie.path = set->path.empty() ? default_path(url.path()) : set->path;
    const SystemTime last = now + 24h * 400;
    cookie.persistent = set->max_age.has_value() || set->expires.has_value();
    if (set->max_age) {
      const std::int64_t most = 400LL * 24 * 3600;
      cookie.expires =
          *set->max_age <= 0 ? SystemTime() : now + std::chrono::seconds(std::min(*set->max_age, most));
    } else if (set->expires) {
      cookie.expires = std::min(*set->expires, last);
    }
    if (!prefix_allows(cookie, !set->path.empty()) || (cookie.secure && !encrypted)) continue;
    const bool shadows_secure = !encrypted && std::ranges::any_of(cookies_, [&](const Cookie& other) {
      return other.secure && other.name == cookie.name && path_matches(cookie.path, other.path) &&
             (domain_matches(other.domain, cookie.domain) || domain_matches(cookie.domain, other.domain));
    });
    if (!shadows_secure) keep(std::move(cookie), now);
  }
}

void CookieJar::keep(Cookie cookie, SystemTime now) {
  cookie.created = cookie.used = now;
  const auto old =
      std::ranges::find_if(cookies_, [&](const Cookie& other) { return same_cookie(other, cookie); });
  if (old != cookies_.end()) {
    cookie.created = old->created;
    cookies_.erase(old);
  }
  if (has_expired(cookie, now)) return;
  cookies_.push_back(std::move(cookie));
  make_room(now);
}

void CookieJar::make_room(SystemTime now) {
  const std::string domain = cookies_.back().domain;
  const auto of_domain = [&] {
    return static_cast<std::size_t>(
        std::ranges::count_if(cookies_, [&](const Cookie& cookie) { return cookie.domain == domain; }));
  };
  if (cookies_.size() <= options_.cookies_max && of_domain() <= options_.cookies_per_domain_max) return;
  std::erase_if(cookies_, [now](const Cookie& cookie) { return has_expired(cookie, now); });
  while (of_domain() > options_.cookies_per_domain_max) drop_one(cookies_, domain);
  while (cookies_.size() > options_.cookies_max) drop_one(cookies_, {});
}

std::string CookieJar::header_for(const Url& url, SystemTime now) {
  std::erase_if(cookies_, [now](const Cookie& cookie) { return has_expired(cookie, now); });
  std::vector<Cookie*> chosen;
  for (Cookie& cookie : cookies_) {
    const bool for_host =
        cookie.host_only ? url.host() == cookie.domain : domain_matches(url.host(), cookie.domain);
    if (!for_host || !path_matches(url.path(), cookie.path)) continue;
    if (cookie.secure && url.scheme() != "https") continue;
    cookie.used = now;
    chosen.push_back(&cookie);
  }
  std::ranges::sort(chosen, [](const Cookie* a, const Cookie* b) {
    if (a->path.size() != b->path.size()) return a->path.size() > b->path.size();
    if (a->created != b->created) return a->created < b->created;
    return a < b;  // of one vector: in the order in which they were set
  });
  std::string value;
  for (const Cookie* cookie : chosen) {
    if (!value.empty()) value += "; ";
    if (!cookie->name.empty()) value += cookie->name + '=';
    value += cookie->value;
  }
  return value;
}

void CookieJar::clear_session() {
  std::erase_if(cookies_, [](const Cookie& cookie) { return !cookie.persistent; });
}

std::string CookieJar::text(SessionCookies session) const {
  std::string text = "# Netscape HTTP Cookie File\n";
  for (const Cookie& cookie : cookies_) {
    if (!cookie.persistent && session == SessionCookies::left_out) continue;
    if ((cookie.name + cookie.value + cookie.path).find('\t') != std::string::npos) continue;
    if (cookie.http_only) text += "#HttpOnly_";
    text += (cookie.host_only ? "" : ".") + cookie.domain + (cookie.host_only ? "\tFALSE\t" : "\tTRUE\t") +
            cookie.path + (cookie.secure ? "\tTRUE\t" : "\tFALSE\t") +
            std::to_string(cookie.persistent ? cookie.expires.unix_milliseconds() / 1000 : 0) + '\t' +
            cookie.name + '\t' + cookie.value + '\n';
  }
  return text;
}

Result<> CookieJar::restore(std::string_view text) {
  std::vector<Cookie> read;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    Cookie cookie;
    cookie.http_only = line.starts_with("#HttpOnly_");
    if (cookie.http_only) line.remove_prefix(10);
    if (line.empty() || line.starts_with('#')) continue;
    std::vector<std::string> fields;
    for (std::size_t at = 0; at != line.npos && fields.size() < 8;) {
      const std::size_t tab = line.find('\t', at);
      fields.emplace_back(line.substr(at, tab == line.npos ? tab : tab - at));
      at = tab == line.npos ? tab : tab + 1;
    }
    const auto expires = fields.size() == 7 ? parse_number<std::int64_t>(fields[4]) : std::nullopt;
    if (!expires || *expires < 0 || fields[0].empty()) {
      return Error(Errc::invalid_argument,
                   "line " + std::to_string(number) + " is not a cookie of Netscape's format");
    }
    cookie.host_only = fields[1] != "TRUE";
    cookie.domain = lower(fields[0].substr(fields[0].starts_with('.') ? 1 : 0));
    cookie.path = fields[2];
    cookie.secure = fields[3] == "TRUE";
    cookie.persistent = *expires != 0;
    cookie.expires =
        SystemTime::from_unix_milliseconds(std::min<std::int64_t>(*expires, 253'402'300'799) * 1000);
    cookie.name = fields[5];
    cookie.value = fields[6];
    read.push_back(std::move(cookie));
  }
  for (Cookie& cookie : read) keep(std::move(cookie), SystemTime());
  return {};
}

Task<Response> Cookies::operator()(Request request, const Service& next) const {
  const std::shared_ptr<CookieJar> jar = jar_;
  Reactor& reactor = co_await this_reactor;
  const Url url = request.url;
  const std::string ours = jar->header_for(url, reactor.backend().system_now());
  if (!ours.empty()) {
    const std::string own(request.headers.get_or("Cookie", ""));
    request.headers.set("Cookie", own.empty() ? ours : own + "; " + ours);
  }
  Response response = co_await next(std::move(request));
  jar->store(url, response.headers, reactor.backend().system_now());
  co_return std::move(response);
}

}  // namespace escapement::http
