#include <escapement/io/http/proxy.h>

#include <array>
#include <cstdlib>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>

namespace escapement::http {

namespace {

struct Scheme {
  std::string_view name;
  Proxy::Kind kind;
  std::uint16_t port;
};
constexpr std::array schemes = {
    Scheme{"http", Proxy::Kind::http, 1080}, Scheme{"https", Proxy::Kind::https, 443},
    Scheme{"socks5", Proxy::Kind::socks5, 1080}, Scheme{"socks5h", Proxy::Kind::socks5, 1080}};

// Reads what follows the scheme, by the rules of URLs.
Result<Proxy> parse_authority(std::string_view text, const Scheme& scheme) {
  const std::string_view authority = text.substr(0, text.find_first_of("/?#"));
  if (text.find('@', authority.size()) != text.npos) {
    return Error(Errc::invalid_argument, "not the address of a proxy: encode / ? # in its user and password");
  }
  const std::size_t at = authority.rfind('@');
  std::string_view address = authority.substr(at == authority.npos ? 0 : at + 1);
  Result<Url> url = Url::parse("http://" + std::string(authority) + '/');
  if (!url) {
    const bool secret = at != authority.npos;  // the message of a URL may show it
    std::string message = "not the address of a proxy: " + std::string(address);
    if (!secret) message += ": " + url.error().message();
    return Error(Errc::invalid_argument, std::move(message));
  }
  Proxy proxy;
  proxy.kind = scheme.kind;
  proxy.host = url->host();
  if (address.starts_with('[')) address.remove_prefix(std::min(address.find(']'), address.size()));
  proxy.port = address.find(':') == address.npos ? scheme.port : url->port();
  const std::string& userinfo = url->userinfo();
  const std::size_t colon = std::min(userinfo.find(':'), userinfo.size());
  proxy.user = percent_decoded(std::string_view(userinfo).substr(0, colon));
  if (colon != userinfo.size())
    proxy.password = percent_decoded(std::string_view(userinfo).substr(colon + 1));
  if (proxy.port == 0) return Error(Errc::invalid_argument, "a proxy cannot be at port 0");
  return proxy;
}

}  // namespace

Result<Proxy> Proxy::parse(std::string_view text) {
  const std::size_t end = text.find("://");
  const std::string name = end == text.npos ? "http" : lower(text.substr(0, end));
  if (end != text.npos) text.remove_prefix(end + 3);
  for (const Scheme& scheme : schemes) {
    if (scheme.name == name) return parse_authority(text, scheme);
  }
  return Error(Errc::unsupported, "there is no kind of proxy \"" + name + "\": http, https, socks5, socks5h");
}

std::string Proxy::text() const {
  const std::string_view scheme = kind == Kind::http ? "http" : kind == Kind::https ? "https" : "socks5";
  const bool v6 = host.find(':') != host.npos;
  return std::string(scheme) + "://" + (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

ProxyRules ProxyRules::all_through(const Proxy& proxy) {
  ProxyRules rules;
  rules.http = rules.https = proxy;
  return rules;
}

Result<ProxyRules> ProxyRules::from_environment() {
  return from_environment([](const char* name) -> const char* { return std::getenv(name); });
}

Result<ProxyRules> ProxyRules::from_environment(const std::function<const char*(const char*)>& variable) {
  // Returns the name of the first of two that is set.
  const auto set = [&](const char* lower_case, const char* upper_case) -> const char* {
    if (variable(lower_case) != nullptr) return lower_case;
    return upper_case != nullptr && variable(upper_case) != nullptr ? upper_case : nullptr;
  };
  const char* all = set("all_proxy", "ALL_PROXY");
  const char* http = set("http_proxy", nullptr);
  const char* https = set("https_proxy", "HTTPS_PROXY");
  ProxyRules rules;
  const auto read = [&](const char* name, std::optional<Proxy>& into) -> Result<> {
    if (name == nullptr) name = all;
    if (name == nullptr || *variable(name) == '\0') return {};
    Result<Proxy> proxy = Proxy::parse(variable(name));
    if (!proxy) return std::move(proxy).error().context(name);
    into = *std::move(proxy);
    return {};
  };
  if (Result<> outcome = read(http, rules.http); !outcome) return std::move(outcome).error();
  if (Result<> outcome = read(https, rules.https); !outcome) return std::move(outcome).error();
  const char* none = set("no_proxy", "NO_PROXY");
  if (none != nullptr) rules.no_proxy = NoProxy(variable(none));
  return rules;
}

const Proxy* ProxyRules::find(const Url& url) const {
  const std::optional<Proxy>& proxy = url.scheme() == "https" ? https : http;
  if (!proxy || no_proxy.matches(url.host(), url.port())) return nullptr;
  return &*proxy;
}

}  // namespace escapement::http
