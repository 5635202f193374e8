// TcpNetwork: real sockets, on any FdBackend.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/happy_eyeballs.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/resolve.h>
#include <escapement/io/native/tcp_options.h>
#include <escapement/io/stream.h>

namespace escapement {

// Settings of a TCP network.
struct TcpOptions {
  ResolverOptions resolver;  // for names
  // The number of connections that the kernel completes before they are accepted.
  int backlog = 1024;
  // Lets several listeners share one address, those of other loops and of other processes of this user: the
  // kernel spreads connections over them. Listening at an address that is taken by such a listener is then
  // not an error (use `check_free` to find out).
  bool reuse_port = false;
  // The way in which a name's addresses are tried, and the limit of its look-up (RFC 8305).
  HappyEyeballsOptions happy_eyeballs;
  // Keep-alive, buffers, the local address: of every connection and listener.
  TcpSocketOptions socket;
};

// TCP connections and listeners. Connections have TCP_NODELAY set (tcp_options.h). Names are resolved by
// c-ares without blocking (resolve.h), and cached. If a name has several addresses, they are tried in turn,
// IPv6 and IPv4 alternating, each new attempt beside the earlier ones (happy_eyeballs.h); the first that
// connects wins. For another kind of resolver put a ResolvingNetwork in front.
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

  // Returns the resolver that `connect` uses.
  DnsResolver& resolver() { return resolver_; }

 private:
  FdBackend& backend_;
  TcpOptions options_;
  DnsResolver resolver_;
};

// Makes a listener of a TCP socket that listens already, such as an inherited one. `backend` must outlive it.
// Fails with invalid_argument, and leaves `socket` as it was, if it is no such socket.
Result<std::unique_ptr<Listener>> adopt_tcp_listener(FdBackend& backend, posix::Fd&& socket);

}  // namespace escapement
