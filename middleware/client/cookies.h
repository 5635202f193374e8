// Cookies: keeps what servers set, and sends it back where it belongs (RFC 6265bis).
//
//     auto jar = std::make_shared<CookieJar>();
//     const Service site = layered(Redirect{}, Cookies(jar), client);
//
//     co_await jar->restore(co_await File::read_all(pool, "cookies.txt", 1 * MiB));   // curl's format, -b
//     and -c co_await File::write_all(pool, "cookies.txt", jar->text(), 0600);

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/system_time.h>
#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// A cookie that a jar keeps.
class Cookie {
 public:
  std::string name;         // empty for a cookie that is only a value
  std::string value;        // as it was sent
  std::string domain;       // in lower case, without a dot before it
  bool host_only = true;    // sent to `domain` alone; else to its subdomains too
  std::string path = "/";   // sent for it and what is below it
  bool secure = false;      // sent by https alone
  bool http_only = false;   // not for scripts: a client has none, and sends it
  bool persistent = false;  // has `expires`; else it ends with the program
  SystemTime expires;       // at most 400 days after it was set
  SystemTime created;       // when it was first set
  SystemTime used;          // when it was last set or sent
};

// Limits of a jar.
class CookieJarOptions {
 public:
  std::size_t cookies_max = 3000;            // in all
  std::size_t cookies_per_domain_max = 180;  // as browsers have
  // A name and its value together; longer ones are ignored. Attributes of more than 1024 bytes are, too.
  std::size_t cookie_bytes_max = 4096;
};

// The part of the cookies of a session, which end with the program, in a text.
enum class SessionCookies { left_out, kept };

// The cookies of one user. Not for several threads.
//
// A cookie is ignored, as RFC 6265bis section 5.7 says, if it has control characters; is too long; names a
// domain that the host is not in, or a public suffix (public_suffix.h) other than the host itself; is Secure
// and does not come by https, or would replace a Secure one from there; begins with "__Secure-" and is not
// Secure, or with
// "__Host-" and is not Secure, host-only and of the path "/". SameSite says nothing to a client without pages
// and is ignored; every request counts as one of the user's own. Domains outside ASCII come as Punycode.
//
// Over a limit, expired cookies go first, then those of the domain that has too many, Secure ones last, then
// those that were not used for longest.
class CookieJar {
 public:
  // Makes an empty jar.
  explicit CookieJar(CookieJarOptions options = CookieJarOptions()) : options_(options) {}

  // Keeps the cookies that a response to `url` sets, or drops those that it expires.
  void store(const Url& url, const Headers& response, SystemTime now);
  // Returns the value of Cookie for a request to `url`: "a=1; b=2", longest paths first; empty: none.
  std::string header_for(const Url& url, SystemTime now);

  // Returns all cookies, those of a session included.
  const std::vector<Cookie>& all() const { return cookies_; }
  // Drops all, or those of a session: as when a browser is closed.
  void clear() { cookies_.clear(); }
  void clear_session();

  // Returns the persistent cookies as text, in the format of Netscape, curl and wget; those of the session
  // too if they are to be kept, with the expiry 0. It holds secrets: keep the file from others. Cookies whose
  // name or value has a tab are left out, which the format cannot hold.
  std::string text(SessionCookies session = SessionCookies::left_out) const;
  // Adds the cookies of such a text; session cookies (expiry 0) too. Errc::invalid_argument, with the number
  // of the line, and nothing added.
  Result<> restore(std::string_view text);

 private:
  void keep(Cookie cookie, SystemTime now);
  void make_room(SystemTime now);

  CookieJarOptions options_;
  std::vector<Cookie> cookies_;
};

// Sends a jar's cookies with each request, and keeps what the responses set. A Cookie field that a request
// has stays, and the jar's come behind it. Put it inside a Redirect, which then asks the jar for each hop.
class Cookies {
 public:
  static constexpr LayerRole role = LayerRole::credentials;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  // Copies share the jar with its other owners.
  explicit Cookies(std::shared_ptr<CookieJar> jar) : jar_(std::move(jar)) {}

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  std::shared_ptr<CookieJar> jar_;
};

namespace detail {

// Parses a cookie's date, which RFC 6265bis section 5.1.1 reads leniently. Errc::invalid_argument.
Result<SystemTime> parse_cookie_date(std::string_view text);

}  // namespace detail

}  // namespace escapement::http
