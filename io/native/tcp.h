// TcpNetwork: real sockets, over whichever poller runs.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/resolve.h>
#include <escapement/io/stream.h>

namespace escapement {

struct TcpOptions {
  ResolverOptions resolver;
  // Connections the kernel completes before they are accepted.
  int backlog = 1024;
  // Several listeners may have one address, those of other loops and of other processes of this user: the
  // kernel spreads connections over them. An address that is taken by such a listener is then no error
  // (`check_free` asks).
  bool reuse_port = false;
  // RFC 8305 section 8: the next address is tried when the last try has not succeeded for this long.
  Duration attempt_delay = 250ms;
  // For finding a name's addresses, as part of every `connect`: timed_out, TimeLimit::resolve.
  Duration resolve_timeout = 5s;
};

// Connections have TCP_NODELAY set. Names are resolved by c-ares without blocking; where a name has several
// addresses they are tried in turn, IPv6 and IPv4 alternating, each new try beside those before it (RFC 8305
// "Happy Eyeballs"), and the first that connects wins.
//
// A stream that always has bytes ready lets others run now and then: after 32 operations in a row that did
// not have to wait, the next one yields.
class TcpNetwork final : public Network {
 public:
  // Both must outlive it and everything that it made.
  TcpNetwork(FdBackend& backend, Reactor& reactor, TcpOptions options = TcpOptions());
  ~TcpNetwork() override;

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port) override;
  // A name is looked up in /etc/hosts only as "localhost"; give an address otherwise.
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;
  // Whether nobody listens there yet, not even somebody who would share it (`reuse_port`): for the first of
  // several listeners to ask before it listens. Fails as `listen` would. Somebody may come in between.
  Result<> check_free(std::string_view address);

  Resolver& resolver() { return resolver_; }

 private:
  FdBackend& backend_;
  TcpOptions options_;
  Resolver resolver_;
};

}  // namespace escapement
