// Proxies of an HTTP client: which one a URL goes through.
//
//     http::ProxyRules rules = co_await http::ProxyRules::from_environment();
//     http::ClientOptions options;
//     options.route = http::through(rules);
//
// - https by an HTTP proxy: a tunnel (CONNECT), in which TLS goes to the server itself.
// - http by an HTTP proxy: the request goes to the proxy, with the whole URL in it (RFC 9112 section 3.2.2).
// - By a SOCKS5 proxy both are tunnels. Names are always looked up by the proxy, for "socks5" as for
// "socks5h".
//
// The proxy's credentials go to the proxy alone. A Proxy-Authorization field of a request is sent only where
// the request itself goes to a proxy, never through a tunnel. A connection through a proxy has the client's
// `connect_timeout`, which covers the proxy's answer; of that at most 16 KiB are read. Error::fault says what
// a proxy did (Fault::proxy_...), with nothing sent to the server.
//
// Source: RFC 9110 sections 9.3.6 (CONNECT) and 11.7; curl's manual, "ENVIRONMENT".

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/error.h>
#include <escapement/io/http/no_proxy.h>
#include <escapement/io/http/route.h>
#include <escapement/io/http/url.h>

namespace escapement::http {

// A proxy's address and credentials.
struct Proxy {
  // http and https: an HTTP proxy, to which https connects by TLS, with the client's own settings.
  enum class Kind : std::uint8_t { http, https, socks5 };

  // Parses "[SCHEME://][USER:PASSWORD@]HOST[:PORT]". The scheme is http (also if there is none), https,
  // socks5 or socks5h; user and password may be percent-encoded; without a port it is 1080, for https 443, as
  // in curl. A path is ignored. Fails with invalid_argument, and with unsupported for another scheme. The
  // message does not show credentials.
  static Result<Proxy> parse(std::string_view text);

  // Returns "http://proxy.test:1080", without credentials.
  std::string text() const;

  Kind kind = Kind::http;  // how it is spoken to
  std::string host;        // a name, or an address without brackets
  std::uint16_t port = 0;  // where it listens
  std::string user;        // empty: no credentials
  std::string password;    // may be empty
};

// The proxies of a client.
struct ProxyRules {
  std::optional<Proxy> http;   // for http URLs; nothing: directly
  std::optional<Proxy> https;  // for https URLs
  NoProxy no_proxy;            // hosts that neither is for

  // Returns rules by which everything goes through one proxy.
  static ProxyRules all_through(const Proxy& proxy);

  // Reads the variables http_proxy, https_proxy, all_proxy (for what has none of its own) and no_proxy. All
  // but the first may be in upper case as well, lower case first: HTTP_PROXY is ignored, because in a CGI
  // program a client can set it, by a field "Proxy" ("httpoxy", CVE-2016-5385). An empty value is no proxy.
  // Fails as Proxy::parse does, and names the variable.
  static Result<ProxyRules> from_environment();
  // Overload that reads them from a function, which returns null for what is not set.
  static Result<ProxyRules> from_environment(const std::function<const char*(const char* name)>& variable);

  // Returns the proxy for a URL; null: directly. Valid as long as the rules.
  const Proxy* find(const Url& url) const;
};

// Returns a route by these rules, for ClientOptions::route.
std::shared_ptr<const ClientRoute> through(ProxyRules rules);

}  // namespace escapement::http
