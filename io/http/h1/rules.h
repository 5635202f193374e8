// Rules: the part of HTTP/1.x's grammar that this library decides by itself, because llhttp leaves it open.
//
// Each rule stands here once. parser.cpp asks which rule a message breaks, and refuses it;
// fast_head_parser.cpp takes only heads that break none, and leaves all others to parser.cpp. A fault is the
// text of an Error, for a 400; null means that there is none.

#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include <escapement/core/detail/ascii.h>
#include <escapement/io/http/h1/known_fields.h>

namespace escapement::http::detail {

// The methods that are read at once. llhttp knows a fixed list of methods, of which these are a part. The
// framing of a message does not depend on its method, so llhttp is told POST for all others, and every token
// is a method.
inline constexpr std::array<std::string_view, 8> usual_methods = {"GET",    "POST",    "HEAD",  "PUT",
                                                                  "DELETE", "OPTIONS", "PATCH", "TRACE"};

constexpr bool is_usual_method(std::string_view method) {
  return std::find(usual_methods.begin(), usual_methods.end(), method) != usual_methods.end();
}

// Returns whether the sender lets the connection live on (RFC 9112 section 9.3), by the options that its
// Connection field lists: "close" wins.
constexpr bool keeps_alive(int minor_version, bool lists_close, bool lists_keep_alive) {
  return !lists_close && (minor_version == 1 || lists_keep_alive);
}

// Returns whether the client waits for a 100 before it sends the body: HTTP/1.0 has no such wait (RFC 9110
// section 10.1.1).
inline bool is_continue(std::string_view expect) { return equal_ignoring_case(expect, "100-continue"); }
constexpr bool expects_continue(int minor_version, bool lists_continue) {
  return minor_version == 1 && lists_continue;
}

// Host: one, and valid; HTTP/1.0 may have none (RFC 9112 section 3.2).
constexpr bool lacks_host(int minor_version, bool has_host) { return minor_version == 1 && !has_host; }
// Returns whether Host may hold this: a name or an address in brackets, then perhaps a port. An empty one is
// refused as well: an http URL without a host is none.
bool valid_host(std::string_view host);
const char* host_fault(const KnownFields& known, int minor_version);

// Transfer-Encoding and Content-Length: at most one of them, and one Content-Length (RFC 9112 section 6).
const char* framing_fault(const KnownFields& known, int minor_version);
// Returns whether the last of a request's transfer codings is chunked: else nobody knows where its body ends.
bool ends_with_chunked(std::string_view codings);

// The request target: a path, "*" for OPTIONS, or a URL without user information; every character that must
// be encoded is (RFC 9112 section 3.2).
const char* target_fault(std::string_view target, std::string_view method);

}  // namespace escapement::http::detail
