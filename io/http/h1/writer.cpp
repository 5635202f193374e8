#include <escapement/io/http/h1/writer.h>

#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/in_digits.h>
#include <escapement/core/detail/number.h>
#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/h1/rules.h>

namespace escapement::http {

namespace {

using detail::put;

char* put_field(char* at, std::string_view name, std::string_view value) {
  at = put(put(at, name), ": ");
  return put(put(at, value), "\r\n");
}

constexpr std::size_t number_digits_max = 20;

// Most are a status, or the length of a short body.
ESC_INLINE char* put_number(char* at, std::uint64_t number) {
  if (number >= 1000) return std::to_chars(at, at + number_digits_max, number).ptr;
  const auto small = static_cast<unsigned>(number);
  if (small >= 100) *at++ = static_cast<char>('0' + small / 100);
  if (small >= 10) *at++ = static_cast<char>('0' + small / 10 % 10);
  *at++ = static_cast<char>('0' + small % 10);
  return at;
}

enum class Kind { callers, ours, connection, length, coding, date, host };

ESC_INLINE Kind kind_of(std::string_view name) {
  constexpr std::uint32_t sizes = 1U << 4 | 1U << 10 | 1U << 14 | 1U << 17;
  if (name.size() > 17 || (sizes >> name.size() & 1) == 0) return Kind::callers;
  if (equal_ignoring_case(name, "date")) return Kind::date;
  if (equal_ignoring_case(name, "host")) return Kind::host;
  if (equal_ignoring_case(name, "connection")) return Kind::connection;
  if (equal_ignoring_case(name, "content-length")) return Kind::length;
  if (equal_ignoring_case(name, "transfer-encoding")) return Kind::coding;
  return equal_ignoring_case(name, "keep-alive") ? Kind::ours : Kind::callers;
}

// Written here, and not taken from the caller.
constexpr bool is_ours(Kind kind) {
  return kind == Kind::ours || kind == Kind::connection || kind == Kind::length || kind == Kind::coding;
}

// The facts about the caller's fields that a head depends on; each field is looked at once.
struct Survey {
  ESC_INLINE explicit Survey(const Headers& headers) {
    headers.each([this](std::string_view name, std::string_view value) { see(name, value); });
  }
  ESC_INLINE void see(std::string_view name, std::string_view value) {
    bytes += name.size() + value.size() + 4;
    refused |= !is_token(name) || (!detail::is_usual(value) && !is_field_value(value));
    const Kind kind = kind_of(name);
    if (kind != Kind::callers) see_known(kind, value);
  }
  ESC_NOINLINE void see_known(Kind kind, std::string_view value) {
    has_date |= kind == Kind::date;
    all_callers &= kind == Kind::date;
    if (kind == Kind::host) {
      if (!host) host = value;
      hosts_differ |= value != host;
    }
    refused |= kind == Kind::coding && !equal_ignoring_case(value, "chunked");
    if (kind == Kind::connection) closes |= list_contains(value, "close");
    if (kind != Kind::length) return;
    if (lengths++ == 0) length = value;
    lengths_differ |= value != length;
  }

  std::size_t bytes = 0;    // of the lines of all
  bool all_callers = true;  // nothing is left out
  bool has_date = false;
  bool refused = false;  // one of them: refusal() says why
  bool closes = false;   // "Connection: close"
  bool lengths_differ = false;
  bool hosts_differ = false;
  std::uint32_t lengths = 0;
  std::string_view length;               // the first
  std::optional<std::string_view> host;  // the first
};

Error invalid(std::string message) {
  return Error(Errc::invalid_argument, std::move(message)).nothing_sent();
}

// For a message: a line of a log must stay one.
std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr std::size_t shown_max = 64;
  std::string out = "\"";
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      ((out += "\\x") += digits[byte >> 4]) += digits[byte & 15];
    }
  }
  return out += text.size() > shown_max ? "\"..." : "\"";
}

// Why one field may not be sent; empty where it may.
std::string fault_of(std::string_view name, std::string_view value) {
  if (!is_token(name)) return "header field " + quoted(name) + ": its name is not a token";
  if (is_field_value(value)) return {};
  return "header field " + std::string(name) + " has a control character in its value";
}

// Why fields cannot be sent: the first of them that may not, or else another coding than chunked.
ESC_NOINLINE Error refusal(const Headers& headers) {
  std::string message;
  headers.each([&message](std::string_view name, std::string_view value) {
    if (message.empty()) message = fault_of(name, value);
  });
  if (message.empty()) message = "header field Transfer-Encoding: a body is sent chunked or by its length";
  return invalid(std::move(message));
}

// The caller's fields, but for those decided here; in a request, Host too.
ESC_INLINE char* put_fields(char* at, const Headers& headers, const Survey& found, bool skip_host) {
  const std::string_view lines = headers.as_sent();
  if (!lines.empty() && found.all_callers) return put(at, lines);
  headers.each([&](std::string_view name, std::string_view value) {
    const Kind kind = kind_of(name);
    if (kind == Kind::host ? !skip_host : !is_ours(kind)) at = put_field(at, name, value);
  });
  return at;
}

// Returns the length that the caller wrote; nullopt if it is none.
std::optional<std::uint64_t> length_in(const Survey& found) {
  if (found.lengths_differ) return std::nullopt;
  return parse_number<std::uint64_t>(found.length);
}

ESC_NOINLINE Error not_its_length() {
  return invalid("header field Content-Length is not the body's length");
}

ESC_NOINLINE Error no_final_status(int status) {
  return Error(Errc::invalid_argument, "no final status: " + in_digits(status));
}

Error no_interim_status(int status) {
  return Error(Errc::invalid_argument, "no informational status: " + in_digits(status));
}

ESC_NOINLINE Error bad_method(std::string_view method) {
  if (is_token(method)) {
    return Error(Errc::unsupported, "CONNECT makes a tunnel, which a request is not").nothing_sent();
  }
  return invalid("the method " + quoted(method) + " is not a token");
}

// The caller's Host is sent as it is.
ESC_NOINLINE std::optional<Error> bad_host(const Survey& found) {
  if (found.hosts_differ) return invalid("header field Host: two that differ");
  if (detail::valid_host(*found.host)) return std::nullopt;
  return invalid("header field Host: " + quoted(*found.host) + " is not a host");
}

// Why it may not be sent; nullopt where it may. `length` is its body's, where known.
ESC_INLINE std::optional<Error> wrong_with(const Request& request, const Survey& found,
                                           std::optional<std::uint64_t> length) {
  const std::string_view method = request.method.text();
  if (!is_token(method) || method == "CONNECT") return bad_method(method);
  if (found.refused) return refusal(request.headers);
  if (found.host) {
    std::optional<Error> wrong = bad_host(found);
    if (wrong) return wrong;
  }
  if (found.lengths > 0 && (!length || length_in(found) != length)) return not_its_length();
  return std::nullopt;
}

constexpr bool is_final(int status) { return status >= 200 && status <= 599; }

// Returns true if there is nothing that wrong_with() would look at, as in nearly all responses.
ESC_INLINE bool plainly_right(const Response& response, const Survey& found) {
  return is_final(response.status) && !found.refused && found.lengths == 0;
}

ESC_NOINLINE std::optional<Error> wrong_with(const Response& response, const Survey& found,
                                             std::optional<std::uint64_t> length, bool answers_head) {
  if (!is_final(response.status)) return no_final_status(response.status);
  if (found.refused) return refusal(response.headers);
  if (found.lengths == 0 || (!may_have_body(response.status) && !answers_head)) return std::nullopt;
  const std::optional<std::uint64_t> stated = length_in(found);
  const bool fits = answers_head && length == 0u ? stated.has_value() : length && stated == length;
  if (!fits) return not_its_length();
  return std::nullopt;
}

// The fields that are decided here take no more than this, the empty line included.
constexpr std::size_t framing_bytes_max = 128;

ESC_INLINE char* put_framing(char* at, Framing framing, std::uint64_t length) {
  if (framing == Framing::chunked) return put(at, "Transfer-Encoding: chunked\r\n");
  if (framing != Framing::length) return at;
  return put(put_number(put(at, "Content-Length: "), length), "\r\n");
}

// As Url::target.
ESC_INLINE char* put_target(char* at, const Url& url) {
  at = put(at, url.path());
  return url.has_query() ? put(put(at, "?"), url.query()) : at;
}

// As Url::authority.
constexpr std::size_t port_bytes_max = std::string_view("[]:65535").size();
ESC_INLINE char* put_authority(char* at, const Url& url) {
  const std::string_view host = url.host();
  const bool is_v6 = host.find(':') != host.npos;
  at = is_v6 ? put(put(put(at, "["), host), "]") : put(at, host);
  const std::uint16_t usual = url.scheme().size() == 4 ? 80 : 443;
  return url.port() == usual ? at : put_number(put(at, ":"), url.port());
}

ESC_NOINLINE char* put_other_status_line(char* at, int status) {
  at = put_number(put(at, "HTTP/1.1 "), static_cast<std::uint64_t>(status));
  at = put(put(put(at, " "), reason_phrase(status)), "\r\n");
  // Upgrade is for the next hop alone (RFC 9110 section 7.8); these two statuses always have one.
  return status == 101 || status == 426 ? put(at, "Connection: upgrade\r\n") : at;
}

char* put_status_line(char* at, int status) {
  return status == 200 ? put(at, "HTTP/1.1 200 OK\r\n") : put_other_status_line(at, status);
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && detail::token_characters.has_all(text); }

bool is_field_value(std::string_view text) {
  if (detail::is_usual(text)) return true;
  const char* const end = text.data() + text.size();
  return detail::find_control(text.data(), end) == end;
}

bool is_framing_field(std::string_view name) { return is_ours(kind_of(name)); }

Result<> check_request(const Request& request) {
  const Survey found(request.headers);
  std::optional<Error> wrong = wrong_with(request, found, request.body.length());
  if (wrong) return *std::move(wrong);
  return {};
}

Result<> check_response(const Response& response, bool answers_head) {
  const Survey found(response.headers);
  std::optional<Error> wrong = wrong_with(response, found, response.body.length(), answers_head);
  if (wrong) return *std::move(wrong);
  return {};
}

Result<Framing> write_request_head(Output& to, const Request& request, const RequestOptions& options) {
  const std::string_view method = request.method.text();
  const Survey found(request.headers);
  const std::optional<std::uint64_t> length = request.body.length();
  std::optional<Error> wrong = wrong_with(request, found, length);
  if (wrong) return *std::move(wrong);
  // RFC 9110 section 8.6: methods that usually carry content say 0 when they do not.
  const bool usually = method == "POST" || method == "PUT" || method == "PATCH";
  Framing framing = length ? Framing::length : Framing::chunked;
  if (length == 0u && !usually) framing = Framing::none;

  const Url& url = request.url;
  const std::size_t host_size = found.host ? found.host->size() : url.host().size() + port_bytes_max;
  const std::size_t target_size = url.path().size() + url.query().size() + 1;
  const std::string& credentials = options.proxy_authorization;
  const std::string origin = options.absolute_target ? url.origin() : std::string();
  const std::size_t fields = found.bytes + credentials.size() + framing_bytes_max;
  char* at = to.room(method.size() + origin.size() + target_size + host_size + fields);
  at = put_target(put(put(put(at, method), " "), origin), url);
  at = put(at, " HTTP/1.1\r\nHost: ");
  at = put(found.host ? put(at, *found.host) : put_authority(at, url), "\r\n");
  if (found.bytes != 0) at = put_fields(at, request.headers, found, true);
  at = put_framing(at, framing, length.value_or(0));
  if (!credentials.empty()) at = put_field(at, "Proxy-Authorization", credentials);
  if (!options.keep_alive) at = put(at, "Connection: close\r\n");
  to.end_at(put(at, "\r\n"));
  return framing;
}

Result<Framing> write_response_head(Output& to, const Response& response, ResponseOptions& options) {
  const Survey found(response.headers);
  const std::optional<std::uint64_t> stated = response.body.length();
  if (!plainly_right(response, found)) {
    std::optional<Error> wrong = wrong_with(response, found, stated, options.answers_head);
    if (wrong) return *std::move(wrong);
  }
  // RFC 9110 section 15.3.6: a 205 has no content, whatever its body holds, and says so.
  const bool empty = response.status == 205;
  const bool known = empty || stated.has_value();
  const std::uint64_t length = empty ? 0 : stated.value_or(0);
  Framing framing = Framing::none;
  if (may_have_body(response.status)) {
    framing = known ? Framing::length : options.minor_version == 0 ? Framing::until_close : Framing::chunked;
  }
  // A response to HEAD may state the length of a body that it does not have; 204 never (RFC 9110
  // section 8.6).
  const bool states_own_length =
      options.answers_head && known && length == 0 && response.status != 204 && !empty;

  if (framing == Framing::until_close || found.closes) options.keep_alive = false;
  char* at = to.room(options.date_line.size() + options.kept_lines.size() + found.bytes + framing_bytes_max);
  at = put_status_line(at, response.status);
  if (!found.has_date) at = put(at, options.date_line);
  at = put_fields(at, response.headers, found, false);
  if (states_own_length && found.lengths > 0) {
    at = put_field(at, "Content-Length", found.length);
  } else {
    at = put_framing(at, framing, length);
  }
  if (!options.keep_alive) {
    at = put(at, "Connection: close\r\n");
  } else if (!options.kept_lines.empty()) {
    at = put(at, options.kept_lines);
  } else if (options.minor_version == 0) {
    at = put(at, "Connection: keep-alive\r\n");
  }
  to.end_at(put(at, "\r\n"));
  return options.answers_head || empty ? Framing::none : framing;
}

Result<> write_interim_head(Output& to, int status, const Headers& headers) {
  if (status < 100 || status > 199) return no_interim_status(status);
  if (status == 101 && !headers.has("upgrade")) {
    return Error(Errc::invalid_argument, "a 101 that names no protocol in Upgrade");
  }
  const Survey found(headers);
  if (found.refused) return refusal(headers);
  char* at = to.room(found.bytes + framing_bytes_max);
  at = put_other_status_line(at, status);
  at = put_fields(at, headers, found, false);
  to.end_at(put(at, "\r\n"));
  return {};
}

void write_chunk(Output& to, std::string_view bytes) {
  ESC_CHECK(!bytes.empty());
  constexpr std::size_t digits_max = 16;
  char* at = to.room(digits_max + bytes.size() + 4);
  at = put(std::to_chars(at, at + digits_max, bytes.size(), 16).ptr, "\r\n");
  to.end_at(put(put(at, bytes), "\r\n"));
}

Result<> write_last_chunk(Output& to, const Headers& trailers) {
  std::string fault;
  trailers.each([&fault](std::string_view name, std::string_view value) {
    if (fault.empty()) fault = fault_of(name, value);
  });
  if (!fault.empty()) return Error(Errc::invalid_argument, "trailers: " + fault);
  to += "0\r\n";
  trailers.each([&to](std::string_view name, std::string_view value) {
    const Kind kind = kind_of(name);
    if (is_ours(kind) || kind == Kind::host) return;
    to.end_at(put_field(to.room(name.size() + value.size() + 4), name, value));
  });
  to += "\r\n";
  return {};
}

}  // namespace escapement::http
