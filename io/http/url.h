// Url: the http and https URLs of RFC 3986 and RFC 9110 section 4.2.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement::http {

// An absolute http or https URL, taken apart and normalised: scheme and host in lower case, default port
// left out, dot segments removed, empty path "/". Parsing is strict: what RFC 3986 does not allow is an
// error and not guessed at, so that no two programs can read one URL as two hosts.
class Url {
 public:
  // Errc::invalid_argument, with a sentence that says what is wrong and where. Non-ASCII must come
  // percent-encoded or, in the host, as Punycode. At most 8 KiB.
  static Result<Url> parse(std::string_view text);

  // `reference` as found in a Location header, relative to this URL (RFC 3986 section 5). A fragment is
  // inherited when the reference has none (RFC 9110 section 10.2.2). Errors as parse.
  Result<Url> resolve(std::string_view reference) const;

  const std::string& scheme() const { return scheme_; }      // "http" or "https"
  const std::string& userinfo() const { return userinfo_; }  // "user:password", still encoded; often empty
  const std::string& host() const { return host_; }          // "example.com", "10.0.0.1", "::1" (no brackets)
  std::uint16_t port() const { return port_; }               // 80 or 443 where the URL names none
  const std::string& path() const { return path_; }          // begins with '/', still encoded
  const std::string& query() const { return query_; }        // without '?', still encoded
  const std::string& fragment() const { return fragment_; }  // without '#'
  bool has_query() const { return has_query_; }

  // What goes into a request line: path and query.
  std::string target() const;
  // What goes into Host: host in brackets where IPv6, port unless it is the scheme's default.
  std::string authority() const;
  // scheme://authority: two URLs with the same origin may share credentials.
  std::string origin() const;
  // The whole URL again, without userinfo and fragment: safe to log.
  std::string without_credentials() const;
  // The whole URL again.
  std::string text() const;
  // The same URL without userinfo.
  Url without_userinfo() const {
    Url url = *this;
    url.userinfo_.clear();
    return url;
  }

  // The decoded value of query parameter `name`; empty when absent. '+' is a space.
  std::string query_parameter(std::string_view name) const;

  bool operator==(const Url&) const = default;

 private:
  Url() = default;

  std::string scheme_;
  std::string userinfo_;
  std::string host_;
  std::uint16_t port_ = 0;
  std::string path_;
  std::string query_;
  std::string fragment_;
  bool has_query_ = false;
};

// `text` with its percent-encodings undone; what is no encoding stays as it is. For a part of a Url's path
// or query, whose encodings are all well-formed. May yield any byte, also '/' and NUL.
std::string percent_decoded(std::string_view text);

}  // namespace escapement::http
