#include <escapement/io/http/writer.h>

#include <charconv>
#include <cstring>

#include <escapement/core/check.h>
#include <escapement/io/http/characters.h>

namespace escapement::http {

namespace {

void append_number(std::string& to, std::uint64_t number, int base = 10) {
  char digits[24];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, number, base);
  to.append(digits, end.ptr);
}

char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// In one piece: the room is made once.
void append_field(std::string& to, std::string_view name, std::string_view value) {
  const std::size_t before = to.size();
  to.resize(before + name.size() + value.size() + 4);
  char* at = put(to.data() + before, name);
  at = put(put(at, ": "), value);
  put(at, "\r\n");
}

bool is_ours(std::string_view name) {
  if (name.size() != 10 && name.size() != 14 && name.size() != 17) return false;
  return equal_ignoring_case(name, "content-length") || equal_ignoring_case(name, "transfer-encoding") ||
         equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "keep-alive");
}

// The caller's fields, but for those decided here.
Result<> append_fields(std::string& to, const Headers& headers, bool skip_host) {
  for (const Headers::Field& field : headers) {
    if (!is_token(field.name))
      return Error(Errc::invalid_argument, "a header field's name is not a token").nothing_sent();
    if (!is_field_value(field.value)) {
      return Error(Errc::invalid_argument,
                   "header field " + field.name + " has a control character in its value")
          .nothing_sent();
    }
    if (is_ours(field.name) || (skip_host && equal_ignoring_case(field.name, "host"))) continue;
    append_field(to, field.name, field.value);
  }
  return {};
}

// A length that the caller wrote must be the one that is sent.
Result<> check_length(const Headers& headers, const std::optional<std::uint64_t>& length) {
  for (const Headers::Field& field : headers) {
    if (!equal_ignoring_case(field.name, "content-length")) continue;
    std::uint64_t stated = 0;
    const char* end = field.value.data() + field.value.size();
    const std::from_chars_result read = std::from_chars(field.value.data(), end, stated);
    if (read.ec != std::errc() || read.ptr != end || !length || stated != *length) {
      return Error(Errc::invalid_argument, "Content-Length is not the body's length").nothing_sent();
    }
  }
  return {};
}

void append_framing(std::string& to, Framing framing, std::optional<std::uint64_t> length) {
  if (framing == Framing::chunked) append_field(to, "Transfer-Encoding", "chunked");
  if (framing == Framing::length) {
    char digits[24];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, *length);
    append_field(to, "Content-Length", {digits, static_cast<std::size_t>(end.ptr - digits)});
  }
}

void append_status_line(std::string& to, int status) {
  if (status == 200) {
    to += "HTTP/1.1 200 OK\r\n";
    return;
  }
  to += "HTTP/1.1 ";
  append_number(to, static_cast<std::uint64_t>(status));
  to += ' ';
  to += reason_phrase(status);
  to += "\r\n";
}

bool status_without_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && detail::token_characters.has_all(text); }

bool is_field_value(std::string_view text) { return detail::value_characters.has_all(text); }

Result<Framing> write_request_head(std::string& to, const Request& request, const RequestOptions& options) {
  const std::size_t before = to.size();
  if (!is_token(request.method.text())) {
    return Error(Errc::invalid_argument, "the method \"" + request.method.text() + "\" is not a token")
        .nothing_sent();
  }
  if (request.method == Method("CONNECT")) {
    return Error(Errc::unsupported, "CONNECT makes a tunnel, which a request is not").nothing_sent();
  }
  const std::optional<std::uint64_t> length = request.body.length();
  Result<> length_ok = check_length(request.headers, length);
  if (!length_ok) return std::move(length_ok).error();

  to += request.method.text();
  to += ' ';
  to += request.url.target();
  to += " HTTP/1.1\r\n";
  const std::string* host = request.headers.get("host");
  append_field(to, "Host", host != nullptr && is_field_value(*host) ? *host : request.url.authority());
  Result<> fields = append_fields(to, request.headers, true);
  if (!fields) {
    to.resize(before);
    return std::move(fields).error();
  }
  // RFC 9110 section 8.6: methods that usually carry content say 0 when they do not.
  const std::string& method = request.method.text();
  const bool usually = method == "POST" || method == "PUT" || method == "PATCH";
  Framing framing = length ? Framing::length : Framing::chunked;
  if (length == 0u && !usually) framing = Framing::none;
  append_framing(to, framing, length);
  if (!options.keep_alive) append_field(to, "Connection", "close");
  to += "\r\n";
  return framing;
}

Result<Framing> write_response_head(std::string& to, const Response& response,
                                    const ResponseOptions& options) {
  const std::size_t before = to.size();
  if (response.status < 200 || response.status > 999) {
    return Error(Errc::invalid_argument, "no final status: " + std::to_string(response.status));
  }
  const std::optional<std::uint64_t> length = response.body.length();
  const bool bodyless = status_without_body(response.status);
  Framing framing = Framing::none;
  if (!bodyless) {
    framing = length ? Framing::length : options.minor_version == 0 ? Framing::until_close : Framing::chunked;
  }
  // A response to HEAD may state the length of a body that it does not have.
  const bool states_own_length = options.answers_head && length == 0u;
  if (!states_own_length && !bodyless) {
    Result<> length_ok = check_length(response.headers, length);
    if (!length_ok) return std::move(length_ok).error();
  }

  append_status_line(to, response.status);
  if (!options.date.empty() && !response.headers.has("date")) append_field(to, "Date", options.date);
  Result<> fields = append_fields(to, response.headers, false);
  if (!fields) {
    to.resize(before);
    return std::move(fields).error();
  }
  const std::string* own_length = response.headers.get("content-length");
  if (states_own_length && own_length != nullptr) {
    append_field(to, "Content-Length", *own_length);
  } else {
    append_framing(to, framing, length);
  }
  const bool closes = !options.keep_alive || framing == Framing::until_close;
  if (closes) append_field(to, "Connection", "close");
  if (!closes && options.minor_version == 0) append_field(to, "Connection", "keep-alive");
  to += "\r\n";
  return options.answers_head ? Framing::none : framing;
}

void write_chunk(std::string& to, std::string_view bytes) {
  ESC_CHECK(!bytes.empty());
  append_number(to, bytes.size(), 16);
  to += "\r\n";
  to += bytes;
  to += "\r\n";
}

void write_last_chunk(std::string& to, const Headers& trailers) {
  to += "0\r\n";
  for (const Headers::Field& field : trailers) {
    if (is_token(field.name) && is_field_value(field.value) && !is_ours(field.name)) {
      append_field(to, field.name, field.value);
    }
  }
  to += "\r\n";
}

}  // namespace escapement::http
