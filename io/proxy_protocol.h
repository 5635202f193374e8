// The PROXY protocol on streams: a server behind a load balancer learns from it who its clients are.
//
//     ProxyProtocolOptions options;
//     options.trusted = {"10.0.0.0/8"};                                 // the load balancers
//     ProxyProtocol proxy = co_await ProxyProtocol::make(options);
//     co_await server.serve(proxy.wrap(std::move(listener)));           // Request::peer is the client
//     co_await server.serve(tls.wrap(proxy.wrap(std::move(listener)))); // TLS comes inside
//
//     co_await write_proxy_header(*stream, header);                     // the other side: a proxy's first
//     bytes
//
// A connection from a trusted peer must begin with a header; there is no guessing. `Stream::peer` and
// `Stream::peer_host` are then the client's, so that logs and limits per peer concern the client. Without a
// client (LOCAL, UNKNOWN) they stay the connection's own.
//
// Source: doc/proxy-protocol.txt of HAProxy (proxy_header.h).

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/io/proxy_header.h>
#include <escapement/io/stream.h>

namespace escapement {

// The connections of peers that are not trusted.
enum class UntrustedPeers {
  reset,  // are reset: all clients have to come through a proxy
  direct  // are served as they are, without a header: clients may come past the proxies
};

// Settings of ProxyProtocol.
struct ProxyProtocolOptions {
  // The proxies: addresses ("192.0.2.1", "2001:db8::1"), networks ("10.0.0.0/8", "fd00::/8"), or "unix" for
  // every peer that has no address, such as that of a Unix socket. At least one: a peer that may send a
  // header may claim to be anybody.
  std::vector<std::string> trusted;
  UntrustedPeers untrusted = UntrustedPeers::reset;
  // From the connection's acceptance to the end of its header. Then: timed_out (TimeLimit::handshake).
  Duration timeout = 5s;
  // The longest header of version 2, TLVs included; version 1 has 107 bytes at most.
  std::size_t bytes_max = 4 * KiB;
  // The most connections of a wrapped listener whose header is awaited, or that wait to be accepted. Further
  // ones wait in the kernel.
  std::size_t pending_max = 256;
  // Called with the failures of a wrapped listener's connections that were reset. It must not throw, nor
  // destroy the listener. Empty: they are dropped silently.
  std::function<void(const Error&)> on_failure;
};

// A stream whose header has been read. All else is the stream below.
class ProxiedStream : public Stream {
 public:
  // The header; null for a peer that is not trusted (UntrustedPeers::direct).
  virtual const ProxyHeader* header() const = 0;
};

// Reads the header that a proxy sends before a connection's own bytes. Copies share the settings.
class ProxyProtocol {
 public:
  // Fails with invalid_argument if `trusted` is empty or one of its entries is no address or network, or
  // if `pending_max` is 0.
  static Result<ProxyProtocol> make(ProxyProtocolOptions options);

  // Reads the header of a connection and yields the stream of the bytes behind it. Fails with
  // permission_denied (the peer is not trusted), bad_message (no header, or a malformed one), limit_exceeded,
  // timed_out, and reset (the connection broke, or ended before the header did); the connection is reset
  // then. Cancelling it closes the connection.
  Task<std::unique_ptr<ProxiedStream>> accept(std::unique_ptr<Stream> stream) const;

  // Makes a listener whose connections have had their headers read. Headers are read concurrently: a client
  // that is slow with its own delays no other. A connection without a good header is reset and is no failure
  // of `accept`.
  std::unique_ptr<Listener> wrap(std::unique_ptr<Listener> listener) const;

 private:
  struct State;
  explicit ProxyProtocol(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  static Task<std::unique_ptr<ProxiedStream>> accept_with(std::shared_ptr<const State> state,
                                                          std::unique_ptr<Stream> stream);
  class ProxyListener;

  std::shared_ptr<const State> state_;
};

// Writes a header. To be called before anything else is written to the stream. Fails with invalid_argument
// (proxy_header_bytes) and as Stream::write.
Task<> write_proxy_header(Stream& stream, ProxyHeader header);

}  // namespace escapement
