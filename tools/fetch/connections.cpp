#include "tools/fetch/connections.h"

#include <algorithm>

#include <escapement/io/tls/tls.h>

#include "tools/fetch/exit_code.h"
#include "tools/fetch/transfer.h"

namespace escapement {

using namespace exit_codes;

namespace {

// Takes the pins of --pinnedpubkey apart.
std::vector<std::string> pins_of(std::string_view list) {
  std::vector<std::string> pins;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(';'), list.size());
    pins.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return pins;
}

}  // namespace

Result<ResolverOptions> resolver_of(const FetchOptions& options) {
  ResolverOptions resolver;
  for (const std::string& given : options.resolve) {
    if (given.starts_with('-')) continue;  // drops what curl has remembered; here there is nothing yet
    // '+': the entry is forgotten after a while, which is later than here.
    const std::string entry = given.substr(given.starts_with('+') ? 1 : 0);
    const std::size_t first = entry.find(':');
    const std::size_t second = first == entry.npos ? first : entry.find(':', first + 1);
    const Result<HostAndPort> parsed = parse_host_and_port(entry.substr(0, second));
    const std::string addresses = second == entry.npos ? "" : entry.substr(second + 1);
    for (std::size_t at = 0; at <= addresses.size();) {
      const std::size_t end = std::min(addresses.find(',', at), addresses.size());
      std::string address = addresses.substr(at, end - at);
      at = end + 1;
      if (address.size() > 1 && address.front() == '[') address = address.substr(1, address.size() - 2);
      if (!parsed || !SocketAddress::literal(address, 0)) {
        return Error(Errc::invalid_argument,
                     "--resolve \"" + given + "\" is not HOST:PORT:ADDRESS[,ADDRESS...]");
      }
      resolver.overrides.emplace_back(parsed->host, parsed->port, address);
    }
  }
  resolver.family = options.family;
  return resolver;
}

Result<http::Encrypt> encrypt_of(const FetchOptions& options, int& code) {
  TlsClientOptions tls;
  tls.trusted_file = options.cacert;
  tls.dangerously_accept_any_certificate = options.insecure;
  tls.pinned_keys = pins_of(options.pinned);
  tls.handshake_timeout = seconds(options.connect_seconds.value_or(default_connect_seconds));
  code = bad_cacert.code;
  Result<TlsClient> client = TlsClient::make(tls);
  const bool needed = !options.cacert.empty() || !options.cert.empty() || !options.pinned.empty();
  if (!client && client.error() == Errc::unsupported) {
    code = unsupported.code;
    if (!needed) return http::Encrypt();
  }
  if (!client)
    return std::move(client).error().context(options.pinned.empty() ? "--cacert"
                                                                    : "--cacert, --pinnedpubkey");
  if (options.cert.empty()) return http::Encrypt(*std::move(client));
  code = bad_cert.code;
  Result<TlsIdentity> identity =
      TlsIdentity::read(options.cert, options.key.empty() ? options.cert : options.key);
  if (!identity) return std::move(identity).error().context("--cert");
  tls.identity = *std::move(identity);
  client = TlsClient::make(std::move(tls));
  if (!client) return std::move(client).error().context("--cert");
  return http::Encrypt(*std::move(client));
}

Result<std::shared_ptr<const http::ClientRoute>> route_of(const FetchOptions& options, bool& socks) {
  if (!options.unix_path.empty()) return std::shared_ptr<const http::ClientRoute>();
  Result<http::ProxyRules> rules = http::ProxyRules();
  if (!options.proxy) {
    rules = http::ProxyRules::from_environment();
  } else if (!options.proxy->empty()) {
    Result<http::Proxy> proxy = http::Proxy::parse(*options.proxy);
    if (!proxy) return std::move(proxy).error().context("--proxy");
    rules = http::ProxyRules::all_through(*proxy);
  }
  if (!rules) return std::move(rules).error();
  if (options.noproxy) rules->no_proxy = http::NoProxy(*options.noproxy);
  const std::size_t colon = std::min(options.proxy_user.find(':'), options.proxy_user.size());
  for (std::optional<http::Proxy>* proxy : {&rules->http, &rules->https}) {
    if (!*proxy || options.proxy_user.empty()) continue;
    (*proxy)->user = options.proxy_user.substr(0, colon);
    (*proxy)->password = options.proxy_user.substr(std::min(colon + 1, options.proxy_user.size()));
  }
  using Kind = http::Proxy::Kind;
  for (const std::optional<http::Proxy>& proxy : {rules->http, rules->https})
    socks = socks || (proxy && proxy->kind == Kind::socks5);
  if (!rules->http && !rules->https) return std::shared_ptr<const http::ClientRoute>();
  return http::through(*std::move(rules));
}

}  // namespace escapement
