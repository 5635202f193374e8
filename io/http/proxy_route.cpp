#include <escapement/io/http/proxy.h>

#include <utility>

#include <escapement/io/http/basic_credentials.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/detail/connect_tunnel.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/socks5.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

using escapement::detail::LimitName;
using escapement::detail::within;

namespace {

// Returns whether the request itself goes to the proxy.
bool is_forwarded(const Proxy& proxy, const Url& url) {
  return url.scheme() == "http" && proxy.kind != Proxy::Kind::socks5;
}

// Connects to the proxy itself; by TLS, if that is its kind.
Task<std::unique_ptr<Stream>> reach(Network& network, const ClientOptions& options, Proxy proxy,
                                    Duration limit) {
  Result<std::unique_ptr<Stream>> reached =
      co_await network.connect_within(limit, proxy.host, proxy.port).result();
  if (!reached) co_return std::move(reached).error().because(Fault::proxy_unreachable);
  if (proxy.kind != Proxy::Kind::https) co_return std::move(reached);
  co_return co_await options.encrypt(*std::move(reached), proxy.host);
}

Task<std::unique_ptr<Stream>> tunnel(std::unique_ptr<Stream> stream, Proxy proxy, Url url) {
  if (proxy.kind == Proxy::Kind::socks5) {
    std::optional<Socks5Credentials> credentials;
    if (!proxy.user.empty()) credentials.emplace(proxy.user, proxy.password);
    return connect_by_socks5(std::move(stream), url.host(), url.port(), std::move(credentials));
  }
  const bool v6 = url.host().find(':') != std::string::npos;
  std::string authority = v6 ? '[' + url.host() + ']' : url.host();
  authority += ':' + std::to_string(url.port());
  return connect_tunnel(std::move(stream), std::move(proxy), std::move(authority));
}

Task<std::unique_ptr<Stream>> connect_through(Network& network, const ClientOptions& options, Proxy proxy,
                                              Url url, Duration limit) {
  Task<std::unique_ptr<Stream>> reaching = reach(network, options, proxy, limit);
  std::unique_ptr<Stream> stream = co_await std::move(reaching);
  if (is_forwarded(proxy, url)) co_return std::move(stream);
  Task<std::unique_ptr<Stream>> tunnelling = tunnel(std::move(stream), proxy, std::move(url));
  co_return co_await std::move(tunnelling);
}

class ProxyRoute final : public ClientRoute {
 public:
  explicit ProxyRoute(ProxyRules rules) : rules_(std::move(rules)) {}

  Task<std::unique_ptr<Stream>> connect(Network& network, const ClientOptions& options, Url url,
                                        Duration limit) const override;
  Result<> prepare(Request& request, RequestOptions& head) const override;

 private:
  ProxyRules rules_;
};

Task<std::unique_ptr<Stream>> ProxyRoute::connect(Network& network, const ClientOptions& options, Url url,
                                                  Duration limit) const {
  const Proxy* found = rules_.find(url);
  if (found == nullptr) co_return co_await network.connect_within(limit, url.host(), url.port());
  const Proxy proxy = *found;
  if (proxy.kind == Proxy::Kind::https && !options.encrypt) {
    co_return Error(Errc::unsupported, "proxy " + proxy.text() + ": this client was made without TLS")
        .nothing_sent();
  }
  Task<std::unique_ptr<Stream>> connecting = connect_through(network, options, proxy, std::move(url), limit);
  const LimitName name{TimeLimit::connect, "no connection"};
  Result<std::unique_ptr<Stream>> stream = co_await within(limit, name, std::move(connecting)).result();
  if (!stream) co_return std::move(stream).error().context("proxy " + proxy.text()).nothing_sent();
  co_return std::move(stream);
}

Result<> ProxyRoute::prepare(Request& request, RequestOptions& head) const {
  const Proxy* proxy = rules_.find(request.url);
  if (proxy == nullptr || !is_forwarded(*proxy, request.url)) {
    request.headers.remove("proxy-authorization");  // no proxy would see it
    return {};
  }
  head.absolute_target = true;
  if (proxy->user.empty() || request.headers.has("proxy-authorization")) return {};
  Result<std::string> credentials = basic_credentials(proxy->user, proxy->password);
  if (!credentials) return std::move(credentials).error().nothing_sent();
  head.proxy_authorization = *std::move(credentials);
  return {};
}

}  // namespace

}  // namespace detail

std::shared_ptr<const ClientRoute> through(ProxyRules rules) {
  return std::make_shared<detail::ProxyRoute>(std::move(rules));
}

}  // namespace escapement::http
