// Resolver: looks up the addresses of a host.
//
//     FixedResolver resolver;                                    // a table (fixed_resolver.h)
//     resolver.add("api.test", "10.0.0.1");
//     ResolvingNetwork network(resolver, loop.network());        // connects by it (happy_eyeballs.h)
//     http::Client client(network);
//
// Implementations: DnsResolver (io/native/resolve.h, c-ares), FixedResolver (a table), SimResolver
// (io/sim/resolver.h, with delays and faults), CachingResolver (dns_cache.h, in front of another one).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/core/time.h>
#include <escapement/io/address.h>

namespace escapement {

// The addresses that are asked for: both kinds, IPv4 only, or IPv6 only.
enum class AddressFamily { any, v4, v6 };

// The answer to a look-up.
struct Resolved {
  Resolved() = default;
  Resolved(std::vector<SocketAddress> a, Duration t) : addresses(std::move(a)), ttl(t) {}
  std::vector<SocketAddress> addresses;  // at least one, the preferred ones first
  Duration ttl;                          // how long they may be kept; Duration::max(): for ever
};

// The outcome of a look-up, for a cache.
class ResolverAnswer {
 public:
  explicit ResolverAnswer(Result<Resolved> f, std::optional<Duration> ttl = std::nullopt)
      : found(std::move(f)), negative_ttl(ttl) {}
  Result<Resolved> found;  // the addresses, or why there are none
  // The time for which a cache may remember that there is nothing, if the server has said so (RFC 2308).
  std::optional<Duration> negative_ttl;
};

// Must outlive the tasks it returns, unless an implementation says otherwise.
class Resolver {
 public:
  virtual ~Resolver() = default;

  // Yields the addresses of `host` (a name, or a literal address without brackets) of one family, v4 or v6,
  // each with `port`. Fails, with nothing sent and Error::fault set, with
  //   not_found    the name does not exist, or has no such address (no_such_host, no_address, bad_host_name)
  //   unavailable  no answer, or no good one (dns_refused, dns_server_failure, dns_no_answer, dns_bad_answer)
  // Cancelling drops a late answer.
  virtual Task<Resolved> lookup(std::string host, std::uint16_t port, AddressFamily family) = 0;

  // Does the same for a cache, and never fails. By default it knows nothing of negative answers.
  virtual Task<ResolverAnswer> answer(std::string host, std::uint16_t port, AddressFamily family);

  // Yields the addresses of both families, IPv6 first. Both are asked for at once, and the answers waited
  // for. Half an answer is an answer: fails only if neither family has an address.
  Task<std::vector<SocketAddress>> resolve(std::string host, std::uint16_t port);
};

namespace detail {

// Makes the error of a look-up, of the kind that belongs to the fault: "resolve a.test: no such host". `why`
// replaces the sentence.
Error resolve_error(Fault fault, std::string_view host, std::string_view why = {});

// Returns the one of two failures that says more: a server that failed may know of an address, and a name
// without an address of one family may have one of the other.
Error worse_of(Error v6, Error v4);

}  // namespace detail

}  // namespace escapement
