#include <escapement/io/http/h1/fast_head_parser.h>

#include <algorithm>
#include <cstring>

#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/h1/known_fields.h>
#include <escapement/io/http/h1/plain_fields.h>
#include <escapement/io/http/h1/rules.h>

namespace escapement::http::detail {

namespace {

// Returns the length of the usual method that `text`, of eight bytes and more, begins with; 0 if it begins
// with none.
constexpr std::size_t method_size(const char* text) {
  const auto begins_with = [text](const auto& method) {
    return std::char_traits<char>::compare(text, method, sizeof method - 1) == 0;
  };
  if (begins_with("GET ") || begins_with("PUT ")) return 3;
  if (begins_with("POST ") || begins_with("HEAD ")) return 4;
  if (begins_with("PATCH ") || begins_with("TRACE ")) return 5;
  if (begins_with("DELETE ")) return 6;
  return begins_with("OPTIONS ") ? 7 : 0;
}

// The same list as rules.h has, as comparisons with constants.
static_assert(std::all_of(usual_methods.begin(), usual_methods.end(), [](std::string_view method) {
  char line[] = "        /";
  for (std::size_t i = 0; i < method.size(); ++i) line[i] = method[i];
  return method_size(line) == method.size();
}));

struct RequestLine {
  std::string_view method;  // one that llhttp knows
  std::string_view target;  // begins with '/'; target_characters
  int minor_version;
  std::size_t size;
};

// Every loop below ends at a line feed, and the one at `end` - 1 is the last.
ESC_INLINE bool scan_request_line(const char* const begin, const char* const end, RequestLine& line) {
  constexpr std::ptrdiff_t shortest = std::string_view("GET / HTTP/1.0\r\n").size();
  const std::size_t method_is = end - begin < shortest ? 0 : method_size(begin);
  if (method_is == 0) return false;
  const char* at = begin + method_is + 1;
  if (*at != '/') return false;
  const char* const target = at;
  while (target_characters.has(*at)) ++at;
  line.method = {begin, method_is};
  line.target = {target, static_cast<std::size_t>(at - target)};

  constexpr std::string_view version = " HTTP/1.";
  if (end - at < 13 || std::memcmp(at, version.data(), version.size()) != 0) return false;
  if ((at[8] != '0' && at[8] != '1') || at[9] != '\r' || at[10] != '\n') return false;
  line.minor_version = at[8] - '0';
  line.size = static_cast<std::size_t>(at + 11 - begin);
  return true;
}

}  // namespace

std::size_t FastHeadParser::read(std::string_view text, const ParserLimits& limits, MessageHead& head) {
  const std::size_t last = !text.empty() && text.back() == '\n' ? text.size() - 1 : text.rfind('\n');
  if (last == text.npos) return 0;
  RequestLine line;
  if (!scan_request_line(text.data(), text.data() + last + 1, line)) return 0;
  const std::string_view rest(text.data() + line.size, last + 1 - line.size);
  Meaning read;
  const Meaning* meaning = &last_meaning_;
  if (are_last(rest)) {
    if (last_.size() > limits.header_count_max) return 0;
    others_ = 0;
    head.headers = last_;
  } else {
    if (!read_fields(rest, limits, head, read)) return 0;
    meaning = &read;
  }
  const std::size_t size = line.size + meaning->size;
  if (size > limits.head_bytes_max || lacks_host(line.minor_version, meaning->has_host)) return 0;
  head.method = line.method[0] == 'G' ? Method::get() : Method(line.method);  // the only usual one
  head.target = line.target;
  head.minor_version = line.minor_version;
  head.host = meaning->host;
  head.keep_alive = keeps_alive(line.minor_version, meaning->close, meaning->keep_alive);
  head.asks_keep_alive = meaning->keep_alive;
  head.expect_continue = expects_continue(line.minor_version, meaning->expects_continue);
  head.content_length.reset();
  head.chunked = head.upgrade = false;
  return size;
}

bool FastHeadParser::are_last(std::string_view text) const {
  const std::size_t size = last_text_.size();
  return size != 0 && text.size() >= size + end_of_fields.size() && same(text.substr(0, size), last_text_) &&
         std::memcmp(text.data() + size, end_of_fields.data(), end_of_fields.size()) == 0;
}

bool FastHeadParser::read_fields(std::string_view text, const ParserLimits& limits, MessageHead& head,
                                 Meaning& meaning) {
  Headers::Place* end = nullptr;
  meaning.size = scan_fields(text.data(), text.data() + text.size(), places_, end);
  const std::span<Headers::Place> places(places_.data(), end);
  if (meaning.size == 0 || places.size() > limits.header_count_max) return false;
  const KnownFields known(text, places);
  if (known.has_transfer_encoding || known.content_lengths > 0 || known.hosts > 1 || known.upgrade)
    return false;
  if (known.hosts == 1 && !is_host(known.host)) return false;
  meaning.has_host = known.hosts == 1;
  meaning.host = known.host;
  meaning.close = known.close;
  meaning.keep_alive = known.keep_alive;
  meaning.expects_continue = is_continue(known.expect);
  head.headers = Headers::received(places, text);
  // Remember on the second miss of every 16, so that one-off requests do not evict the cache.
  if (++others_ % 16 == 2) remember(head.headers, meaning, text);
  return true;
}

void FastHeadParser::remember(const Headers& fields, const Meaning& meaning, std::string_view text) {
  if (fields.empty() || meaning.size > remembered_max) return;
  last_ = fields;
  last_text_ = last_.as_received();
  last_meaning_ = meaning;
  last_meaning_.size = last_text_.size() + end_of_fields.size();
  if (!meaning.has_host) return;
  last_meaning_.host =
      last_text_.substr(static_cast<std::size_t>(meaning.host.data() - text.data()), meaning.host.size());
}

bool FastHeadParser::is_host(std::string_view host) {
  if (!host.empty() && same(host, last_host_)) return true;
  if (!valid_host(host)) return false;
  last_host_ = host;
  return true;
}

}  // namespace escapement::http::detail
