// Resolver: resolves host names by c-ares, without blocking the loop.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/io/address.h>
#include <escapement/io/native/fd_backend.h>

namespace escapement {

// The addresses that are asked for: both kinds, IPv4 only, or IPv6 only.
enum class AddressFamily { any, v4, v6 };

// Settings of a resolver.
struct ResolverOptions {
  // DNS servers, as "127.0.0.1:5353,[::1]:53"; empty: those of /etc/resolv.conf.
  std::string servers;
  // The timeout of one try, and the number of tries per server.
  Duration timeout = 2s;
  int tries = 2;
  // Fixed addresses: for `host` and `port`, `address` (a literal) is used instead of a look-up.
  struct Override {
    Override(std::string h, std::uint16_t p, std::string a)
        : host(std::move(h)), port(p), address(std::move(a)) {}
    std::string host;     // the name, compared ignoring case
    std::uint16_t port;   // the port that it is asked for with
    std::string address;  // a literal address
  };
  std::vector<Override> overrides;  // used before any server is asked
  // Drops addresses of the other family, including literal ones.
  AddressFamily family = AddressFamily::any;
};

class Resolver {
 public:
  // Both arguments must outlive the resolver.
  Resolver(FdBackend& backend, Reactor& reactor, ResolverOptions options);
  Resolver(const Resolver&) = delete;
  // Fails the queries in flight with cancelled.
  ~Resolver();

  // Returns the addresses of `host`, IPv6 and IPv4, at least one, in the order of RFC 6724. Literal
  // addresses, "localhost" and the names below it (this machine: RFC 6761) need no look-up; names in
  // /etc/hosts are taken from there. Errors name the host: not_found when there is no such name or it has no
  // address, unavailable when no server replied. Destroying the task drops a late reply.
  Task<std::vector<SocketAddress>> resolve(std::string host, std::uint16_t port);

 private:
  class Channel;

  Result<Channel*> channel();

  FdBackend& backend_;
  Reactor& reactor_;
  ResolverOptions options_;
  std::unique_ptr<Channel> channel_;  // made at the first name
};

}  // namespace escapement
