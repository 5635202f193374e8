#include <escapement/core/system_time.h>

#include <algorithm>
#include <chrono>

namespace escapement {

namespace {

constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t last_ms = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

// A point in time, split into its fields.
struct Parts {
  int year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
};

Parts take_apart(std::int64_t ms) {
  const std::chrono::sys_days days{std::chrono::days(ms / day_ms)};
  const std::chrono::year_month_day date(days);
  const int in_day = static_cast<int>(ms % day_ms);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          in_day / 3'600'000,
          in_day / 60'000 % 60,
          in_day / 1'000 % 60,
          in_day % 1'000};
}

Result<SystemTime> put_together(const Parts& parts, std::int64_t offset_ms = 0) {
  const std::chrono::year_month_day date{std::chrono::year(parts.year),
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day))};
  // A leap second (":60") is allowed by both formats and counts as the second before it.
  const int second = std::min(parts.second, 59);
  if (!date.ok() || parts.year < 1970 || parts.hour > 23 || parts.minute > 59 || parts.second > 60) {
    return Error(Errc::invalid_argument, "no such date and time");
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t ms = days * day_ms + parts.hour * 3'600'000LL + parts.minute * 60'000LL +
                          second * 1'000LL + parts.millisecond - offset_ms;
  if (ms < 0 || ms > last_ms) return Error(Errc::invalid_argument, "a time before 1970 or after 9999");
  return SystemTime::from_unix_milliseconds(ms);
}

void append_number(std::string& text, int number, int digits) {
  char reversed[8] = {};
  for (int i = 0; i < digits; ++i, number /= 10) reversed[i] = static_cast<char>('0' + number % 10);
  for (int i = digits; i-- > 0;) text += reversed[i];
}

// Reads a text from the left. Once something does not match, it stays failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  int number(int digits) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') return fail();
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  void expect(std::string_view literal) {
    if (rest_.substr(0, literal.size()) != literal) return void(fail());
    rest_.remove_prefix(literal.size());
  }
  bool accept(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool accept(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  // Reads one digit, or two.
  int short_number() {
    const bool two = rest_.size() > 1 && rest_[1] >= '0' && rest_[1] <= '9';
    return number(two ? 2 : 1);
  }
  bool at_digit() const { return peek() >= '0' && peek() <= '9'; }
  // Returns how many digits come next.
  std::size_t digits() const { return std::min(rest_.find_first_not_of("0123456789"), rest_.size()); }
  // Reads one of the three-letter names; returns which, from 0.
  int name(std::string_view names) {
    const std::size_t at = rest_.size() < 3 ? names.npos : names.find(rest_.substr(0, 3));
    if (at == names.npos || at % 3 != 0) return fail();
    rest_.remove_prefix(3);
    return static_cast<int>(at / 3);
  }
  // Skips the rest of a long day name: "day", "sday", "nesday", ...
  void letters() {
    while (!rest_.empty() && rest_[0] >= 'a' && rest_[0] <= 'z') rest_.remove_prefix(1);
  }
  void refuse() { good_ = false; }
  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_[0]; }
  bool good() const { return good_; }

 private:
  int fail() {
    good_ = false;
    return 0;
  }

  std::string_view rest_;
  bool good_ = true;
};

Result<SystemTime> finish(const Reader& reader, const Parts& parts, std::int64_t offset_ms = 0) {
  if (!reader.good() || !reader.at_end()) return Error(Errc::invalid_argument, "not a date in a known form");
  return put_together(parts, offset_ms);
}

void read_clock(Reader& reader, Parts& parts) {
  parts.hour = reader.number(2);
  reader.expect(":");
  parts.minute = reader.number(2);
  reader.expect(":");
  parts.second = reader.number(2);
}

// The form of an offset: "+01:00"; `shortened` allows "+0100" as well.
enum class Offset { full, shortened };

std::int64_t read_offset(Reader& reader, Offset form) {
  const bool west = reader.accept('-');
  if (!west) reader.expect("+");
  const int hours = reader.number(2);
  if (!reader.accept(':') && form == Offset::full) reader.refuse();
  const int minutes = reader.number(2);
  if (hours > 23 || minutes > 59) reader.refuse();
  return (hours * 60 + minutes) * 60'000LL * (west ? -1 : 1);
}

std::int64_t read_zone(Reader& reader) {
  reader.expect(" ");
  for (const std::string_view name : {"GMT", "UTC", "UT", "Z"}) {
    if (reader.accept(name)) return 0;
  }
  return read_offset(reader, Offset::shortened);
}

// Returns the year that a two-digit one means: one that seems more than 50 years ahead is the most recent
// past one (RFC 9110 section 5.6.7).
int full_year(int two_digits, SystemTime now) {
  const int this_year = take_apart(std::clamp<std::int64_t>(now.unix_milliseconds(), 0, last_ms)).year;
  const int year = this_year - this_year % 100 + two_digits;
  return year > this_year + 50 ? year - 100 : year;
}

}  // namespace

std::string SystemTime::rfc3339() const {
  const Parts parts = take_apart(std::clamp<std::int64_t>(ms_, 0, last_ms));
  std::string text;
  append_number(text, parts.year, 4);
  text += '-';
  append_number(text, parts.month, 2);
  text += '-';
  append_number(text, parts.day, 2);
  text += 'T';
  append_number(text, parts.hour, 2);
  text += ':';
  append_number(text, parts.minute, 2);
  text += ':';
  append_number(text, parts.second, 2);
  text += '.';
  append_number(text, parts.millisecond, 3);
  text += 'Z';
  return text;
}

Result<SystemTime> SystemTime::parse_rfc3339(std::string_view text) {
  Reader reader(text);
  Parts parts;
  parts.year = reader.number(4);
  reader.expect("-");
  parts.month = reader.number(2);
  reader.expect("-");
  parts.day = reader.number(2);
  if (!reader.accept('T') && !reader.accept('t')) reader.expect(" ");
  read_clock(reader, parts);
  if (reader.accept('.')) {
    int scale = 100;
    do {
      parts.millisecond += reader.number(1) * scale;
      scale /= 10;
    } while (reader.peek() >= '0' && reader.peek() <= '9');
  }
  std::int64_t offset_ms = 0;
  if (!reader.accept('Z') && !reader.accept('z')) {
    offset_ms = read_offset(reader, Offset::full);
  }
  return finish(reader, parts, offset_ms);
}

std::string SystemTime::http_date() const {
  const std::int64_t ms = std::clamp<std::int64_t>(ms_, 0, last_ms);
  const Parts parts = take_apart(ms);
  const std::size_t weekday = static_cast<std::size_t>((ms / day_ms + 4) % 7);  // 1970 began on a Thursday
  std::string text;
  text += day_names.substr(weekday * 3, 3);
  text += ", ";
  append_number(text, parts.day, 2);
  text += ' ';
  text += month_names.substr(static_cast<std::size_t>(parts.month - 1) * 3, 3);
  text += ' ';
  append_number(text, parts.year, 4);
  text += ' ';
  append_number(text, parts.hour, 2);
  text += ':';
  append_number(text, parts.minute, 2);
  text += ':';
  append_number(text, parts.second, 2);
  text += " GMT";
  return text;
}

Result<SystemTime> SystemTime::parse_http_date(std::string_view text, SystemTime now) {
  Reader reader(text);
  Parts parts;
  if (!reader.at_digit()) {
    reader.name(day_names);
    if (reader.accept(' ')) {  // Sun Nov  6 08:49:37 1994
      parts.month = reader.name(month_names) + 1;
      reader.expect(" ");
      reader.accept(' ');
      parts.day = reader.short_number();
      reader.expect(" ");
      read_clock(reader, parts);
      reader.expect(" ");
      parts.year = reader.number(4);
      const std::int64_t offset_ms = reader.at_end() ? 0 : read_zone(reader);
      return finish(reader, parts, offset_ms);
    }
    reader.letters();
    reader.expect(", ");
  }
  parts.day = reader.short_number();
  const bool dashes = reader.accept('-');  // Sunday, 06-Nov-94 08:49:37 GMT
  if (!dashes) reader.expect(" ");         // Sun, 06 Nov 1994 08:49:37 GMT
  parts.month = reader.name(month_names) + 1;
  reader.expect(dashes ? "-" : " ");
  parts.year = reader.digits() == 2 ? full_year(reader.number(2), now) : reader.number(4);
  reader.expect(" ");
  read_clock(reader, parts);
  const std::int64_t offset_ms = read_zone(reader);
  return finish(reader, parts, offset_ms);
}

}  // namespace escapement
