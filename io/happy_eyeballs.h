// Happy Eyeballs, version 2: connects to a name with several addresses without waiting for those that are
// dead.
//
// The two families of the name are asked for at once. The first attempt begins when the IPv6 addresses are
// there, or when the IPv4 ones are and the answer for IPv6 has not come within the resolution delay. Each
// further attempt begins when the last one has failed, or the attempt delay after it began, beside those
// under way, and the families take turns; addresses that come late join those that are left. The first
// success wins, and the other attempts are destroyed before it is reported.
//
// With a source address to go by, the addresses that are there are sorted before the first attempt and when
// late ones join them (address_selection.h), and the family of the best one is first in turn; without it, it
// is IPv6, and each family is tried in the order of the resolver.
//
//        0 ms          50            300           550
//        |             |             |             |
//     A -+ answer      |             |             |
//     AAAA ......................... + answer      |
//                      +-- attempt IPv4 (1) ......................
//                                    +-- attempt IPv6 (1) ........
//                                                  +-- attempt IPv4 (2) ...
//
// Sources: RFC 8305, RFC 6724. Its last resort for networks that have only NAT64 (section 7.2) is left to the
// resolver.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <escapement/io/address_selection.h>
#include <escapement/io/resolver.h>
#include <escapement/io/stream.h>

namespace escapement {

// The times of RFC 8305 section 8, and limits.
struct HappyEyeballsOptions {
  // The time that the first attempt waits for the IPv6 addresses once the others are there.
  Duration resolution_delay = 50ms;
  // The time after which the next attempt begins beside the last one; at least 10 ms count.
  Duration attempt_delay = 250ms;
  // The addresses of the first family that are tried before one of the other; 0 counts as 1.
  std::size_t first_family_count = 1;
  // Limits the look-ups. When it expires those under way are given up; without any address the connection
  // then fails with timed_out (TimeLimit::resolve).
  Duration resolve_timeout = 5s;
  // The source address of packets to a destination. Null: a TcpNetwork asks the kernel
  // (io/native/source_address.h), and everything else does not sort.
  SourceAddress source_address = nullptr;
};

// Connects to one address; what an attempt is.
using ConnectToAddress = std::function<Task<std::unique_ptr<Stream>>(SocketAddress)>;

// Connects to `host` within `limit` (Duration::max(): none). `resolver` must outlive the task. Fails with
// nothing sent: as the look-up did if there is no address, else as the first attempt did (but for one to
// which this machine has no network, if another one has failed in another way); timed_out
// (TimeLimit::resolve, or connect) when a limit has passed.
Task<std::unique_ptr<Stream>> connect_by_happy_eyeballs(Resolver& resolver, ConnectToAddress connect,
                                                        std::string host, std::uint16_t port, Duration limit,
                                                        HappyEyeballsOptions options);

// A Network that connects to names by a given resolver, and to their addresses by another network: for
// another kind of resolver, and for simulations of it.
class ResolvingNetwork final : public Network {
 public:
  // Both must outlive this and the tasks that it returns.
  ResolvingNetwork(Resolver& resolver, Network& network,
                   HappyEyeballsOptions options = HappyEyeballsOptions())
      : resolver_(resolver), network_(network), options_(options) {}

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port) override;
  // Listens as the other network does.
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;

 private:
  Resolver& resolver_;
  Network& network_;
  const HappyEyeballsOptions options_;
};

}  // namespace escapement
