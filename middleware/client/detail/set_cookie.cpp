#include <escapement/middleware/client/detail/set_cookie.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>
#include <escapement/io/http/message.h>
#include <escapement/middleware/client/cookies.h>

namespace escapement::http::detail {

namespace {

constexpr std::size_t attribute_bytes_max = 1024;

std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

// A number that is too large is the largest; digits with something else are none.
std::optional<std::int64_t> max_age_of(std::string_view value) {
  const bool negative = value.starts_with('-');
  const std::string_view digits = value.substr(negative ? 1 : 0);
  if (digits.empty() || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  if (negative) return 0;
  return parse_number<std::int64_t>(digits).value_or(std::numeric_limits<std::int64_t>::max());
}

void take_attribute(std::string_view name, std::string_view value, SetCookie& cookie) {
  if (value.size() > attribute_bytes_max) return;
  if (equal_ignoring_case(name, "expires")) {
    const Result<SystemTime> date = parse_cookie_date(value);
    if (date) cookie.expires = *date;
  } else if (equal_ignoring_case(name, "max-age")) {
    const std::optional<std::int64_t> seconds = max_age_of(value);
    if (seconds) cookie.max_age = seconds;
  } else if (equal_ignoring_case(name, "domain")) {
    cookie.domain = lower(value.substr(value.starts_with('.') ? 1 : 0));
  } else if (equal_ignoring_case(name, "path")) {
    cookie.path = value.starts_with('/') ? std::string(value) : std::string();
  } else if (equal_ignoring_case(name, "secure")) {
    cookie.secure = true;
  } else if (equal_ignoring_case(name, "httponly")) {
    cookie.http_only = true;
  }
}

// The number of the leading digits of a token, if they are `least` to `most`, and no more follow.
std::optional<int> leading_number(std::string_view token, std::size_t least, std::size_t most) {
  std::size_t count = 0;
  while (count < token.size() && is_digit(token[count])) ++count;
  if (count < least || count > most) return std::nullopt;
  return parse_number<int>(token.substr(0, count));
}

struct CookieDate {
  std::optional<std::array<int, 3>> time;
  std::optional<int> day;
  std::optional<int> month;
  std::optional<int> year;
};

std::optional<std::array<int, 3>> time_of(std::string_view token) {
  std::array<int, 3> time{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t colon = token.find(':');
    if (i < 2 && colon == token.npos) return std::nullopt;
    const std::string_view part = i < 2 ? token.substr(0, colon) : token;
    const std::optional<int> number = leading_number(part, 1, 2);
    if (!number || (i < 2 && !std::ranges::all_of(part, is_digit))) return std::nullopt;
    time[i] = *number;
    if (i < 2) token.remove_prefix(colon + 1);
  }
  return time;
}

std::optional<int> month_of(std::string_view token) {
  constexpr std::string_view names = "janfebmaraprmayjunjulaugsepoctnovdec";
  if (token.size() < 3) return std::nullopt;
  const std::size_t at = names.find(lower(token.substr(0, 3)));
  return at == names.npos || at % 3 != 0 ? std::nullopt : std::optional(static_cast<int>(at / 3) + 1);
}

void take_date_token(std::string_view token, CookieDate& date) {
  if (!date.time && (date.time = time_of(token))) return;
  if (!date.day && (date.day = leading_number(token, 1, 2))) return;
  if (!date.month && (date.month = month_of(token))) return;
  if (!date.year) date.year = leading_number(token, 2, 4);
}

bool is_delimiter(char c) {
  return c == '\t' || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
         (c >= 0x7b && c <= 0x7e);
}

}  // namespace

Result<SystemTime> parse_cookie_date(std::string_view text) {
  CookieDate date;
  while (!text.empty()) {
    std::size_t size = 0;
    while (size < text.size() && !is_delimiter(text[size])) ++size;
    if (size > 0) take_date_token(text.substr(0, size), date);
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  const Error malformed(Errc::invalid_argument, "not a date of a cookie");
  if (!date.time || !date.day || !date.month || !date.year) return malformed;
  int year = *date.year;
  if (year >= 70 && year <= 99) year += 1900;
  if (year >= 0 && year <= 69) year += 2000;
  char canonical[40];
  std::snprintf(canonical, sizeof canonical, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, *date.month, *date.day,
                (*date.time)[0], (*date.time)[1], (*date.time)[2]);
  if (year < 1970) return year < 1601 ? Result<SystemTime>(malformed) : Result<SystemTime>(SystemTime());
  return SystemTime::parse_rfc3339(canonical);
}

std::optional<SetCookie> parse_set_cookie(std::string_view field) {
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  };
  if (std::ranges::any_of(field, is_control)) return std::nullopt;
  SetCookie cookie;
  std::string_view pair = take_until(field, ';');
  const bool named = pair.find('=') != pair.npos;
  if (named) cookie.name = without_white_space(take_until(pair, '='));
  cookie.value = without_white_space(pair);
  if (cookie.name.empty() && cookie.value.empty()) return std::nullopt;
  while (!field.empty()) {
    std::string_view value = take_until(field, ';');
    const std::string_view name = take_until(value, '=');
    take_attribute(without_white_space(name), without_white_space(value), cookie);
  }
  return cookie;
}

}  // namespace escapement::http::detail
