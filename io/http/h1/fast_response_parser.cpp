#include <escapement/io/http/h1/fast_response_parser.h>

#include <algorithm>
#include <cstring>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/h1/known_fields.h>
#include <escapement/io/http/h1/plain_fields.h>
#include <escapement/io/http/h1/rules.h>

namespace escapement::http::detail {

namespace {

struct StatusLine {
  int status;
  int minor_version;
  std::size_t size;
};

// The phrase may hold anything but control characters, and may be missing (RFC 9112 section 4). llhttp wants
// the space before it even so, or the end of the line.
ESC_INLINE bool scan_status_line(std::string_view text, StatusLine& line) {
  constexpr std::string_view shortest = "HTTP/1.1 200 \r\n";
  const char* const at = text.data();
  if (text.size() < shortest.size() || std::memcmp(at, "HTTP/1.", 7) != 0) return false;
  if ((at[7] != '0' && at[7] != '1') || at[8] != ' ' || at[12] != ' ') return false;
  if (!is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11])) return false;
  line.minor_version = at[7] - '0';
  line.status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
  const char* const end = at + text.size();
  const char* const phrase_end = find_unusual(at + 13, end);
  if (end - phrase_end < 2 || phrase_end[0] != '\r' || phrase_end[1] != '\n') return false;
  line.size = static_cast<std::size_t>(phrase_end + 2 - at);
  return true;
}

}  // namespace

std::size_t FastResponseParser::read(std::string_view text, const ParserLimits& limits, MessageHead& head,
                                     std::string_view& body) {
  StatusLine line;
  if (!scan_status_line(text, line) || line.status < 200 || !may_have_body(line.status)) return 0;
  const std::string_view rest = text.substr(line.size);
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
  if (size > limits.head_bytes_max || meaning->length > text.size() - size) return 0;
  body = text.substr(size, static_cast<std::size_t>(meaning->length));
  head.status = line.status;
  head.minor_version = line.minor_version;
  head.keep_alive = keeps_alive(line.minor_version, meaning->close, meaning->keep_alive);
  head.asks_keep_alive = meaning->keep_alive;
  head.upgrade = meaning->upgrade;
  head.expect_continue = head.chunked = head.until_close = false;
  head.content_length = meaning->length;
  return size + body.size();
}

bool FastResponseParser::are_last(std::string_view text) const {
  const std::size_t size = last_text_.size();
  return size != 0 && text.size() >= size + end_of_fields.size() &&
         std::memcmp(text.data() + size, end_of_fields.data(), end_of_fields.size()) == 0 &&
         std::memcmp(text.data(), last_text_.data(), size) == 0;
}

// The loops over the fields end at a line feed: one that ends `text` is given to them, though a body may
// follow the fields.
bool FastResponseParser::read_fields(std::string_view text, const ParserLimits& limits, MessageHead& head,
                                     Meaning& meaning) {
  const std::size_t end_at = text.find(end_of_fields);
  if (end_at == text.npos) return false;
  const std::string_view block = text.substr(0, end_at + end_of_fields.size());
  Headers::Place* end = nullptr;
  meaning.size = scan_fields(block.data(), block.data() + block.size(), places_, end);
  const std::span<Headers::Place> places(places_.data(), end);
  if (meaning.size != block.size() || places.size() > limits.header_count_max) return false;
  const KnownFields known(block, places);
  if (known.has_transfer_encoding || known.content_lengths != 1) return false;
  const std::optional<std::uint64_t> length = parse_number<std::uint64_t>(known.content_length);
  if (!length) return false;
  meaning.length = *length;
  meaning.close = known.close;
  meaning.keep_alive = known.keep_alive;
  meaning.upgrade = known.upgrade;
  head.headers = Headers::received(places, block);
  // Remember on the second miss of every 16, so that one-off responses do not evict the cache.
  if (++others_ % 16 == 2) remember(head.headers, meaning);
  return true;
}

void FastResponseParser::remember(const Headers& fields, const Meaning& meaning) {
  if (fields.empty() || meaning.size > remembered_max) return;
  last_ = fields;
  last_text_ = last_.as_received();
  last_meaning_ = meaning;
  last_meaning_.size = last_text_.size() + end_of_fields.size();
}

}  // namespace escapement::http::detail
