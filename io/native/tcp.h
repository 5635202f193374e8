// TcpNetwork: real sockets, on any FdBackend.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/resolve.h>
#include <escapement/io/stream.h>

namespace escapement {

struct TcpOptions {
  ResolverOptions resolver;
  // The number of connections that the kernel completes before they are accepted.
  int backlog = 1024;
  // Lets several listeners share one address, those of other loops and of other processes of this user: the
  // kernel spreads connections over them. Listening at an address that is taken by such a listener is then
  // not an error (use `check_free` to find out).
  bool reuse_port = false;
  // The next address is tried when the last attempt has not succeeded for this long (RFC 8305 section 8).
  Duration attempt_delay = 250ms;
  // Limits the address look-up of every `connect`. When it expires: timed_out, TimeLimit::resolve.
  Duration resolve_timeout = 5s;
};

// TCP connections and listeners. Connections have TCP_NODELAY set. Names are resolved by c-ares without
// blocking. If a name has several addresses, they are tried in turn, IPv6 and IPv4 alternating, each new
// attempt beside the earlier ones (RFC 8305 "Happy Eyeballs"); the first that connects wins.
//
// A stream that always has bytes ready yields to other tasks: after 32 operations in a row that did not have
// to wait, the next one yields.
class TcpNetwork final : public Network {
 public:
  // `backend` and `reactor` must outlive the network and everything that it made.
  TcpNetwork(FdBackend& backend, Reactor& reactor, TcpOptions options = TcpOptions());
  ~TcpNetwork() override;

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port) override;
  // `address` is a literal address; the only name it accepts is "localhost".
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;
  // Checks that nothing listens at `address` yet, not even a listener that would share it (`reuse_port`).
  // Call it before the first of several listeners. Errors: as `listen`. Another process may still take the
  // address afterwards.
  Result<> check_free(std::string_view address);

  Resolver& resolver() { return resolver_; }

 private:
  FdBackend& backend_;
  TcpOptions options_;
  Resolver resolver_;
};

}  // namespace escapement
