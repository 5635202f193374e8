// DnsResolver: resolves host names by c-ares, without blocking the loop.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/io/address.h>
#include <escapement/io/dns_cache.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/resolver.h>

namespace escapement {

// Settings of a resolver.
struct ResolverOptions {
  // DNS servers, as "127.0.0.1:5353,[::1]:53"; empty: those of /etc/resolv.conf. With a malformed list each
  // look-up that would ask them fails with invalid_argument.
  std::string servers;
  // The timeout of one try, and the number of tries per server.
  Duration timeout = 2s;
  int tries = 2;
  // Fixed addresses: for `host` and `port`, `address` (a literal) is used instead of a look-up. Several for
  // the same host and port are its addresses, in this order.
  struct Override {
    Override(std::string h, std::uint16_t p, std::string a)
        : host(std::move(h)), port(p), address(std::move(a)) {}
    std::string host;     // the name, compared ignoring case; "*": every host that no other one names
    std::uint16_t port;   // the port that it is asked for with
    std::string address;  // a literal address
  };
  std::vector<Override> overrides;  // used before any server is asked
  // Drops addresses of the other family, including literal ones.
  AddressFamily family = AddressFamily::any;
  // The file of fixed names, looked at for each name and read again when it has changed. A name in it is not
  // asked of DNS, not even for a family that it does not have there. Empty: none. At most 16 MiB are read.
  std::string hosts_file = "/etc/hosts";
  // The cache of what the servers answered.
  DnsCacheOptions cache;
};

class DnsResolver final : public Resolver {
 public:
  // Both arguments must outlive the resolver.
  DnsResolver(FdBackend& backend, Reactor& reactor, ResolverOptions options);
  DnsResolver(const DnsResolver&) = delete;
  // Fails the queries in flight with cancelled.
  ~DnsResolver() override;

  // Yields the addresses of one family, in the order of RFC 6724. In this order: `overrides`; literal
  // addresses; "localhost" and the names below it (this machine: RFC 6761); the hosts file; the cache; the
  // servers, with the domains of /etc/resolv.conf for names of one label. Errors as Resolver::lookup.
  // Destroying the task drops a late reply, except into the cache.
  Task<Resolved> lookup(std::string host, std::uint16_t port, AddressFamily family) override;

  // Returns the cache, for clear() and its size.
  CachingResolver& cache() { return cache_; }

 private:
  class Channel;
  class Servers;
  class HostsFile;

  Result<std::vector<SocketAddress>> overridden(std::string_view name, std::uint16_t port) const;
  std::optional<Result<Resolved>> without_servers(const std::string& host, std::uint16_t port,
                                                  AddressFamily family);

  ResolverOptions options_;
  std::unique_ptr<HostsFile> hosts_;
  std::unique_ptr<Servers> servers_;
  CachingResolver cache_;
};

}  // namespace escapement
