// Resolver: names to addresses, by c-ares, without ever blocking the loop.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/io/address.h>
#include <escapement/io/native/fd_backend.h>

namespace escapement {

enum class AddressFamily { any, v4, v6 };

struct ResolverOptions {
  // "127.0.0.1:5353,[::1]:53"; empty: those of /etc/resolv.conf.
  std::string servers;
  // Of one try, and how many tries there are per server.
  Duration timeout = 2s;
  int tries = 2;
  // Answers that are known beforehand: for `host` and `port`, `address` (a literal) is used instead.
  struct Override {
    Override(std::string h, std::uint16_t p, std::string a)
        : host(std::move(h)), port(p), address(std::move(a)) {}
    std::string host;
    std::uint16_t port;
    std::string address;
  };
  std::vector<Override> overrides;
  // Addresses of the other one do not count, those given literally neither.
  AddressFamily family = AddressFamily::any;
};

class Resolver {
 public:
  // Both must outlive it.
  Resolver(FdBackend& backend, Reactor& reactor, ResolverOptions options);
  Resolver(const Resolver&) = delete;
  // Queries that are under way fail with cancelled.
  ~Resolver();

  // The addresses of `host`, IPv6 and IPv4, in the order of RFC 6724; at least one. Literal addresses are
  // answered at once, and so are "localhost" and the names below it (this machine: RFC 6761); names in
  // /etc/hosts from there. Fails, naming the host: not_found when there is no such name or it has no address,
  // unavailable when no server answered. Destroying the task drops a late answer.
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
