// TLS: a Stream around a Stream. Clients that insist on knowing whom they talk to, and servers.
//
//     TlsClient tls = co_await TlsClient::make();
//     http::Client client(network, http::ClientOptions{.encrypt = tls});
//
//     TlsServer tls = co_await TlsServer::make({.identities = {identity}});
//     co_await server.serve(tls.wrap(std::move(listener)));
//
// TLS 1.2 and 1.3, by mbedTLS, over any Stream: a socket, a pipe, the simulated network.
//
// The end is never taken on trust: `read` yields 0 only after the peer's close_notify. A connection that ends
// without it was cut by somebody, and fails with reset, as every fault after the handshake does. Destroying a
// stream sends a close_notify if it can be sent without waiting, unless a write was cancelled half-way, the
// peer has been cut off, or reset_on_close was called: what was cut short must not look finished.
//
// A handshake is computed in steps, of those that compute with a public key at most one in each of the
// reactor's turns for all connections of one TlsClient or TlsServer together, so a crowd of them delays a
// timer by one step (about half a millisecond) and not by all of them.
//
// A connection holds some 40 KiB while it works, 33 of them for records that may be large, and after a second
// or two without one it gives half of that back to the system until the next.
//
// A peer's certificates are held to RFC 5280: signatures, times, usages and lengths along the path, name
// constraints, critical extensions; where one path to a trusted certificate will not do, others are tried. A
// server's name is looked for in the alternative names only, never in the subject (RFC 9525). A star stands
// for one whole label and not in front of a top-level domain; the public suffixes below those ("co.uk") are
// not known here. Certificate policies are not checked, nor is revocation.
//
// What mbedTLS cannot do: a ClientHello or another handshake message above 16 KiB ends the handshake (it
// keeps a message in the buffer of one record), and so does a KeyUpdate after it. What a client sends ahead
// of its handshake (0-RTT) is never read: up to 16 KiB of it are skipped.
//
// The time that certificates are held against is the system's, and secrets are drawn from the system, in a
// simulation too. Everything here belongs to one thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/io/stream.h>

namespace escapement {

enum class TlsVersion : std::uint8_t { tls12, tls13 };

// Who somebody is: a certificate, the ones that lead from it to a root, and its key, all in PEM.
struct TlsIdentity {
  TlsIdentity(std::string chain, std::string secret)
      : certificates(std::move(chain)), key(std::move(secret)) {}

  // From files. Errc::invalid_argument names the one that cannot be read. What is in them is looked at by
  // TlsClient::make and TlsServer::make.
  static Result<TlsIdentity> read(const std::string& certificates_file, const std::string& key_file);

  std::string certificates;  // the own one first
  std::string key;
  // Where they are from, for messages; `read` sets the files' names.
  std::string certificates_from = "certificate";
  std::string key_from = "key";
};

// What a handshake has agreed on.
struct TlsInfo {
  TlsVersion version = TlsVersion::tls12;
  std::string cipher;
  std::string alpn;          // empty: none agreed
  std::string server_name;   // client: the host; server: the name that the client asked for, if any
  std::string peer_subject;  // of the peer's certificate, "CN=..."; empty when it sent none
  bool resumed = false;      // by a ticket of an earlier connection: no certificates were sent
};

class TlsStream : public Stream {
 public:
  // Brings the handshake to its end; nothing when that was done. The first read, write or half-close does it
  // too. Fails: untrusted, bad_message, unsupported, reset, timed_out; for a client nothing was sent then.
  // A handshake that was cancelled goes on with the next call; its time limit counts from the first.
  virtual Task<> handshake() = 0;
  // What it agreed on. Only after a handshake (checked).
  virtual const TlsInfo& info() const = 0;
};

struct TlsClientOptions {
  // The certificates to trust, as PEM: a file, or text. Both empty: the system's, which are read at the first
  // handshake, from SSL_CERT_FILE and the folders in SSL_CERT_DIR (a:b) where one is set, else from where
  // distributions have them.
  std::string trusted_file;
  std::string trusted_pem;
  // Shown to servers that ask who the client is.
  std::optional<TlsIdentity> identity;
  // What is offered, preferred first. Empty: no ALPN.
  std::vector<std::string> alpn = {"http/1.1"};
  Duration handshake_timeout = 10s;
  TlsVersion oldest = TlsVersion::tls12;
  TlsVersion newest = TlsVersion::tls13;
  // Hosts whose last ticket is kept, to resume by. 0: no tickets.
  std::size_t tickets_max = 100;
  // Talks to whoever answers. It protects from nobody who can touch the connection: for experiments.
  bool dangerously_accept_any_certificate = false;
};

// The client side of TLS: what may be trusted, and the tickets of earlier connections. Copies share both. A
// TlsClient is what http::ClientOptions::encrypt wants.
class TlsClient {
 public:
  // Fails with invalid_argument when a file or a PEM text is no good, and says which.
  static Result<TlsClient> make(TlsClientOptions options = TlsClientOptions());

  // A stream to `host` (a name or a literal address, which its certificate must be for) over a connected one,
  // after the handshake. Fails as TlsStream::handshake: untrusted for a certificate that is not to be
  // believed (the message says why: another host's, expired, unknown issuer, ...).
  Task<std::unique_ptr<TlsStream>> connect(std::unique_ptr<Stream> stream, std::string host) const;

  // The same, for http::ClientOptions::encrypt.
  Task<std::unique_ptr<Stream>> operator()(std::unique_ptr<Stream> stream, std::string host) const;

 private:
  struct State;
  explicit TlsClient(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

struct TlsServerOptions {
  // At least one. Which one a client sees is decided by the name it asks for and the names in the
  // certificates: an exact one, else a wildcard, else the first identity.
  std::vector<TlsIdentity> identities;
  // What is accepted, preferred first. A client that offers ALPN but none of these is refused.
  std::vector<std::string> alpn = {"http/1.1", "http/1.0"};
  Duration handshake_timeout = 10s;
  TlsVersion oldest = TlsVersion::tls12;
  TlsVersion newest = TlsVersion::tls13;
  // How long a client may resume, up to 7 days, under the name that it asked for first. 0: no tickets.
  Duration ticket_lifetime = 24h;
  // Whose certificates clients may show, as PEM: a file, or text. Both empty: clients are not asked. Those
  // who are asked get no tickets: who they are is proved each time.
  std::string clients_trusted_file;
  std::string clients_trusted_pem;
  // False: a client may also show none. What it shows must be good.
  bool client_certificate_required = true;
  // Told of failed handshakes, from within the task that shakes hands: it must not destroy that task, nor
  // what serves the connection (checked; Server::shutdown may be called). May be empty.
  std::function<void(const Error&)> on_failure;
};

struct TlsServerStatistics {
  std::uint64_t handshakes = 0;  // finished, the resumed ones included
  std::uint64_t resumed = 0;
  std::uint64_t failed = 0;
};

// The server side of TLS. Copies are handles to the same one.
class TlsServer {
 public:
  // Fails with invalid_argument: no identity, a bad file or PEM text, a key that is another certificate's.
  static Result<TlsServer> make(TlsServerOptions options);

  // The other options from the next connection on; connections that exist keep theirs. On failure nothing
  // changes. Tickets given out before are not honoured any more.
  Result<> reload(TlsServerOptions options);

  // A TLS stream over an accepted one, after the handshake.
  Task<std::unique_ptr<TlsStream>> accept(std::unique_ptr<Stream> stream) const;

  // A listener of TLS streams that does not wait for handshakes: each stream does its own when it is first
  // used. What http::Server::serve wants.
  std::unique_ptr<Listener> wrap(std::unique_ptr<Listener> listener) const;

  const TlsServerStatistics& statistics() const;

 private:
  struct State;
  explicit TlsServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace escapement
