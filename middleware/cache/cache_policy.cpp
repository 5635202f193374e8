#include <escapement/middleware/cache/cache_policy.h>

#include <algorithm>
#include <array>

#include <escapement/middleware/files/conditional.h>

namespace escapement::http {

namespace {

constexpr std::int64_t seconds_max = 1LL << 31;

// Fields of the connection, which are never stored.
constexpr std::array<std::string_view, 9> of_connection{"connection",
                                                        "keep-alive",
                                                        "te",
                                                        "transfer-encoding",
                                                        "upgrade",
                                                        "trailer",
                                                        "proxy-authenticate",
                                                        "proxy-authentication-info",
                                                        "proxy-connection"};
// Fields that describe the content, which a 304 does not have.
constexpr std::array<std::string_view, 4> of_content{"content-length", "content-encoding", "content-type",
                                                     "content-range"};

template <std::size_t n>
bool is_one_of(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view other) { return equal_ignoring_case(name, other); });
}

// One directive: `name`, `name=token` or `name="text"`.
class Directive {
 public:
  std::string_view name;
  std::optional<std::string> value;
  bool well_formed = true;
};

// Takes the directives of a list apart.
class Directives {
 public:
  explicit Directives(std::string_view list) : rest_(list) {}

  std::optional<Directive> next() {
    for (;;) {
      if (rest_.empty()) return std::nullopt;
      const std::string_view item = without_white_space(take_item());
      if (!item.empty()) return read(item);
    }
  }

 private:
  // Returns the text up to the next comma outside of quotes.
  std::string_view take_item() {
    bool quoted = false;
    std::size_t at = 0;
    for (; at < rest_.size(); ++at) {
      const char c = rest_[at];
      if (quoted && c == '\\') {
        ++at;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        break;
      }
    }
    const std::string_view item = rest_.substr(0, at);
    rest_.remove_prefix(std::min(rest_.size(), at + 1));
    return item;
  }

  static Directive read(std::string_view item) {
    Directive directive;
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    directive.name = without_white_space(name);
    if (equals == item.npos) return directive;
    const std::string_view value = item.substr(equals + 1);
    directive.value = unquoted(value);
    directive.well_formed = name == directive.name && value == without_white_space(value);
    return directive;
  }

  static std::string unquoted(std::string_view value) {
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
    std::string text;
    value = value.substr(1, value.size() - 2);
    for (std::size_t at = 0; at < value.size(); ++at) {
      if (value[at] == '\\' && at + 1 < value.size()) ++at;
      text += value[at];
    }
    return text;
  }

  std::string_view rest_;
};

// Returns a number of seconds (delta-seconds, section 1.2.2); nullopt if it is none.
std::optional<Duration> seconds(const Directive& directive) {
  if (!directive.value || !directive.well_formed || directive.value->empty()) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : *directive.value) {
    if (c < '0' || c > '9') return std::nullopt;
    number = std::min(seconds_max, number * 10 + (c - '0'));
  }
  return Duration(1s) * number;
}

void keep_first(std::optional<Duration>& place, std::optional<Duration> value) {
  if (!place) place = value;
}

void note(CacheControl& control, const Directive& directive) {
  const auto is = [&directive](std::string_view name) { return equal_ignoring_case(directive.name, name); };
  const std::optional<Duration> number = seconds(directive);
  if (is("no-store")) control.no_store = true;
  if (is("no-cache")) control.no_cache = true;
  if (is("private")) control.is_private = true;
  if (is("public")) control.is_public = true;
  if (is("must-revalidate")) control.must_revalidate = true;
  if (is("proxy-revalidate")) control.proxy_revalidate = true;
  if (is("must-understand")) control.must_understand = true;
  if (is("only-if-cached")) control.only_if_cached = true;
  if (is("max-age")) keep_first(control.max_age, number.value_or(Duration()));
  if (is("s-maxage")) keep_first(control.s_maxage, number.value_or(Duration()));
  if (is("max-stale")) keep_first(control.max_stale, directive.value ? number : Duration::max());
  if (is("min-fresh")) keep_first(control.min_fresh, number);
  if (is("stale-while-revalidate")) keep_first(control.stale_while_revalidate, number);
  if (is("stale-if-error")) keep_first(control.stale_if_error, number);
}

std::optional<SystemTime> date_of(const Headers& headers, std::string_view name, SystemTime now) {
  const std::string* const text = headers.get(name);
  if (text == nullptr) return std::nullopt;
  const Result<SystemTime> date = SystemTime::parse_http_date(*text, now);
  if (!date) return std::nullopt;
  return *date;
}

// The time that the response was made at, as far as it says.
SystemTime made_at(const StoredHead& head) {
  return date_of(head.headers, "date", head.received).value_or(head.received);
}

// The time in Expires; one that is no date, or of several that differ, is in the past.
std::optional<SystemTime> expires_at(const StoredHead& head) {
  if (!head.headers.has("expires")) return std::nullopt;
  const std::string first(*head.headers.get("expires"));
  bool same = true;
  head.headers.each([&](std::string_view name, std::string_view value) {
    if (equal_ignoring_case(name, "expires") && value != first) same = false;
  });
  if (!same) return SystemTime();
  return date_of(head.headers, "expires", head.received).value_or(SystemTime());
}

// Statuses that RFC 9110 section 15.1 lets caches guess a lifetime for; 206 needs more than that.
bool has_heuristic(int status) {
  constexpr std::array statuses{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};
  return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

bool is_defined(int status) { return !reason_phrase(status).empty() && status != 206 && status != 304; }

Duration heuristic_life(const StoredHead& head, const CacheControl& control, const CacheRules& rules) {
  if (!has_heuristic(head.status) && !control.is_public) return Duration();
  const std::optional<SystemTime> modified = date_of(head.headers, "last-modified", head.received);
  if (!modified) return Duration();
  const double since = std::max(Duration(), made_at(head) - *modified).seconds();
  return std::min(rules.heuristic_max,
                  Duration(std::chrono::duration<double>(since * rules.heuristic_share)));
}

bool must_not_be_stale(const CacheControl& control, const CacheRules& rules) {
  if (control.must_revalidate || control.no_cache) return true;
  return rules.shared && (control.proxy_revalidate || control.s_maxage);
}

}  // namespace

CacheControl CacheControl::of_response(const Headers& headers) {
  CacheControl control;
  headers.each([&control](std::string_view name, std::string_view value) {
    if (!equal_ignoring_case(name, "cache-control")) return;
    Directives directives(value);
    while (const std::optional<Directive> directive = directives.next()) note(control, *directive);
  });
  return control;
}

CacheControl CacheControl::of_request(const Headers& headers) {
  CacheControl control = of_response(headers);
  if (!headers.has("cache-control") && list_contains(headers.get_or("pragma", ""), "no-cache")) {
    control.no_cache = true;
  }
  return control;
}

bool may_store(const Method& method, const Headers& request, int status, const Headers& response,
               const CacheRules& rules) {
  if (method != Method::get() || status < 200 || status == 206 || status == 304) return false;
  if (CacheControl::of_request(request).no_store || !vary_fields(response)) return false;
  const CacheControl control = CacheControl::of_response(response);
  if (control.must_understand) {
    if (!is_defined(status)) return false;
  } else if (control.no_store) {
    return false;
  }
  if (rules.shared) {
    if (control.is_private) return false;
    const bool allowed = control.is_public || control.must_revalidate || control.s_maxage;
    if (request.has("authorization") && !allowed) return false;
    if (response.has("set-cookie") && !control.is_public) return false;
  }
  return control.is_public || (control.is_private && !rules.shared) || control.max_age ||
         (control.s_maxage && rules.shared) || response.has("expires") || has_heuristic(status);
}

Duration fresh_for(const StoredHead& head, const CacheRules& rules) {
  const CacheControl control = CacheControl::of_response(head.headers);
  if (rules.shared && control.s_maxage) return *control.s_maxage;
  if (control.max_age) return *control.max_age;
  const std::optional<SystemTime> expires = expires_at(head);
  if (expires) return std::max(Duration(), *expires - made_at(head));
  return heuristic_life(head, control, rules);
}

Duration age(const StoredHead& head, SystemTime now) {
  const Duration apparent = std::max(Duration(), head.received - made_at(head));
  Directive on_arrival;
  const std::string_view field = head.headers.get_or("age", "");
  on_arrival.value = std::string(without_white_space(field.substr(0, field.find(','))));
  const Duration delay = std::max(Duration(), head.received - head.requested);
  const Duration corrected = seconds(on_arrival).value_or(Duration()) + delay;
  const Duration resident = std::max(Duration(), now - head.received);
  return std::max(apparent, corrected) + resident;
}

ReuseDecision decide_reuse(const StoredHead& head, const CacheControl& asked, const CacheRules& rules,
                           SystemTime now) {
  const CacheControl control = CacheControl::of_response(head.headers);
  const Duration old = age(head, now);
  const Duration life = fresh_for(head, rules);
  const auto decision = [&](Reuse reuse, bool by_request = false) {
    return ReuseDecision(reuse, old, life, by_request);
  };
  if (control.no_cache || rules.validate_always) return decision(Reuse::validate);
  const bool too_old = asked.max_age && (old > *asked.max_age || *asked.max_age == Duration());
  if (asked.no_cache || too_old) return decision(Reuse::validate, true);
  if (life > old) {
    const bool long_enough = !asked.min_fresh || life - old >= *asked.min_fresh;
    return long_enough ? decision(Reuse::fresh) : decision(Reuse::validate, true);
  }
  if (must_not_be_stale(control, rules) || asked.min_fresh) return decision(Reuse::validate);
  if (asked.max_stale && old - life <= *asked.max_stale) return decision(Reuse::stale);
  const bool beside = control.stale_while_revalidate && old - life <= *control.stale_while_revalidate;
  return decision(beside ? Reuse::while_revalidating : Reuse::validate);
}

bool may_use_after_error(const StoredHead& head, const CacheControl& asked, const CacheRules& rules,
                         SystemTime now) {
  const CacheControl control = CacheControl::of_response(head.headers);
  if (must_not_be_stale(control, rules)) return false;
  // Nobody has named a time: what the request has asked for is not there, even if the response is fresh.
  if (!control.stale_if_error && !asked.stale_if_error && rules.stale_if_error == Duration()) return false;
  const Duration most = std::max(control.stale_if_error.value_or(rules.stale_if_error),
                                 asked.stale_if_error.value_or(Duration()));
  return age(head, now) - fresh_for(head, rules) <= most;
}

std::optional<std::vector<std::string>> vary_fields(const Headers& response) {
  std::vector<std::string> names;
  bool any = false;
  response.each([&](std::string_view name, std::string_view list) {
    if (!equal_ignoring_case(name, "vary")) return;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      std::string field = lower(without_white_space(list.substr(0, comma)));
      any |= field == "*";
      if (!field.empty() && std::find(names.begin(), names.end(), field) == names.end()) {
        names.push_back(std::move(field));
      }
      list.remove_prefix(std::min(list.size(), comma + 1));
    }
  });
  if (any) return std::nullopt;
  return names;
}

bool validates(const StoredHead& head, const Headers& not_modified) {
  const std::string* const etag = not_modified.get("etag");
  if (etag != nullptr) {
    const std::string_view ours = head.headers.get_or("etag", "");
    return !ours.empty() && etag_list_matches(*etag, ours, etag->starts_with("W/"));
  }
  const std::string* const modified = not_modified.get("last-modified");
  return modified == nullptr || !head.headers.has("last-modified") ||
         *modified == head.headers.get_or("last-modified", "");
}

void freshen(StoredHead& head, const Headers& not_modified, SystemTime requested, SystemTime received) {
  const Headers fields = fields_to_store(not_modified, received);
  head.headers.remove("age");
  for (const Headers::Field& field : fields) {
    if (!is_one_of(field.name, of_content)) head.headers.remove(field.name);
  }
  for (const Headers::Field& field : fields) {
    if (!is_one_of(field.name, of_content)) head.headers.add(field.name, field.value);
  }
  head.requested = requested;
  head.received = received;
}

Headers fields_to_store(const Headers& response, SystemTime received) {
  const std::string listed = response.joined("connection").value_or(std::string());
  Headers fields;
  response.each([&](std::string_view name, std::string_view value) {
    if (is_one_of(name, of_connection) || list_contains(listed, name)) return;
    fields.add(std::string(name), std::string(value));
  });
  if (!fields.has("date")) fields.set("Date", received.http_date());
  return fields;
}

}  // namespace escapement::http
