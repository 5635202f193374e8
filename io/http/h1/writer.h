// Writer: messages to bytes. No I/O.
//
// The framing of a message is decided here and nowhere else: Content-Length, Transfer-Encoding, Connection
// and, in requests, Host are written from what is known about the message, and such fields of the caller
// are dropped, or refused where they contradict it. Nothing that a caller puts into a name, a value or a
// target can end a line early: what may not be sent is an error, so responses cannot be split.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/error.h>
#include <escapement/io/http/h1/output.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// The mark of a body's end on the wire.
enum class Framing {
  none,         // there is no body, and the message's kind says so
  length,       // Content-Length
  chunked,      // Transfer-Encoding: chunked
  until_close,  // by closing: responses to HTTP/1.0
};

struct RequestOptions {
  bool keep_alive = true;
  // For a request to a proxy: the target is the whole URL, and this is the value of Proxy-Authorization, if
  // not empty.
  bool absolute_target = false;
  std::string proxy_authorization = {};
};

struct ResponseOptions {
  bool keep_alive = true;  // becomes false where the head that was written says "close" for another reason
  int minor_version = 1;   // of the request
  bool answers_head = false;
  // The lines that announce that the connection is kept, if any: "Connection: keep-alive\r\nKeep-Alive:
  // ...\r\n".
  std::string_view kept_lines = {};
  std::string_view date_line;  // "Date: ...\r\n"; empty: none, as for a response that has its own
};

// Returns whether a message may be sent as it is. The one check for every way to send it: the functions
// below, a host's fetch(), a Worker's response. Errc::invalid_argument, with a message that names the field,
// and nothing sent, for
//   - a method or a field name that is no token, a value with a control character;
//   - a Content-Length that is not the body's length, as of a body whose length is not known;
//   - a Transfer-Encoding other than chunked: nothing here codes a body in another way;
//   - in a request, a Host that is none, or two that differ; in a response, a status outside 200..599.
// unsupported for CONNECT.
Result<> check_request(const Request& request);
// `answers_head`: the response may state the length of a body that it does not have.
Result<> check_response(const Response& response, bool answers_head);
// Returns whether a field of this name is about how one message is framed on one connection: the code that
// writes the message decides it, and leaves out the caller's.
bool is_framing_field(std::string_view name);

// Appends the head to `to` and returns how the body has to follow. Fails as the checks do, with `to` as it
// was.
Result<Framing> write_request_head(Output& to, const Request& request, const RequestOptions& options);
Result<Framing> write_response_head(Output& to, const Response& response, ResponseOptions& options);

// Appends the head of an interim response, 100..199, which is all of it (RFC 9110 section 15.2). That of
// a 101 has to name the protocol in Upgrade; its Connection field is written here. Errc::invalid_argument,
// with `to` as it was, when it may not be sent.
Result<> write_interim_head(Output& to, int status, const Headers& headers);

// Appends one chunk. `bytes` must not be empty: that would end the body.
void write_chunk(Output& to, std::string_view bytes);
// Appends the last chunk and the trailers, without those that are framing, or Host. Errc::invalid_argument,
// with `to` as it was, for a name or a value that may not be sent.
Result<> write_last_chunk(Output& to, const Headers& trailers = Headers());

// Returns whether `text` is a token (RFC 9110 section 5.6.2), as methods and field names are.
bool is_token(std::string_view text);
// Returns whether `text` may be a field's value: no control characters but tab.
bool is_field_value(std::string_view text);

}  // namespace escapement::http
