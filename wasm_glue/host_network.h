// HostNetwork: the TCP sockets of a Worker (cloudflare:sockets) as a Network, so that our own HTTP client, or
// any other protocol, runs in a Worker.
//
//     wasm::HostNetwork network;
//     http::Client client(network, http::ClientOptions{.encrypt = network.encrypt()});
//     http::Response response = co_await client(http::get("https://db.example/health"));
//
//     import { sockets } from "./sockets.mjs";
//     export default worker(module, { bindings: [sockets] });
//
// Natively it is a TcpNetwork, in simulations a SimNetwork.
//
// Source: https://developers.cloudflare.com/workers/runtime-apis/tcp-sockets/

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/client.h>
#include <escapement/io/stream.h>

namespace escapement::wasm {

// Settings of a HostNetwork; each limit is finite by default, Duration::max() is none.
class HostNetworkOptions {
 public:
  Duration connect_timeout = 30s;  // until a connection is open; of a handshake, too
  // A stream reads up to 64 KiB ahead, from its first read on, and so learns that its peer has
  // closed. Turn it off for protocols that begin TLS in their midst (STARTTLS: SMTP, IMAP, LDAP, PostgreSQL):
  // the host does not begin it while something is being read.
  bool read_ahead = true;
};

// Outgoing TCP connections; `listen` is unsupported. The host resolves names and refuses some targets (port
// 25, addresses of Cloudflare's own). A connection belongs to the request in whose context it was made: keep
// none, and no Client, from one to the next. Each counts among the six connections that a Worker may be
// opening at once.
//
// `reset_on_close` has no effect: the host closes. Hosts do not say why a connection failed: unavailable,
// nothing sent.
class HostNetwork final : public Network {
 public:
  // Makes a network without connections.
  explicit HostNetwork(HostNetworkOptions options = HostNetworkOptions());

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;

  // Returns what makes TLS of a connection of this network, by the host, for http::ClientOptions::encrypt,
  // and for a protocol that begins TLS by itself:
  //
  //     wasm::HostNetwork network(wasm::HostNetworkOptions{.read_ahead = false});
  //     std::unique_ptr<Stream> stream = co_await network.connect("mail.example", 587);
  //     ... read the greeting, write "STARTTLS", read "220 ready" ...
  //     stream = co_await network.encrypt()(std::move(stream), "mail.example");
  //
  // The host checks the certificate against its own authorities. What was written before leaves first. Fails
  // with unsupported for another stream, and with invalid_argument for one that is TLS already, or from which
  // something is being read (see read_ahead), with bad_message if bytes that came unencrypted have not been
  // read (CVE-2011-0411: somebody may have put them there), with untrusted if the handshake fails, for which
  // hosts give no reason, and with timed_out. The stream is closed then.
  http::Encrypt encrypt() const;

 private:
  HostNetworkOptions options_;
  std::shared_ptr<std::vector<const Stream*>> streams_;  // those of this network
};

}  // namespace escapement::wasm
