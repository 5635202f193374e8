// TLS client and server streams. Clients verify the server's certificate.
//
//     TlsClient tls = co_await TlsClient::make();
//     http::Client client(network, http::ClientOptions{.encrypt = tls});
//
//     TlsServer tls = co_await TlsServer::make({.identities = {identity}});
//     co_await server.serve(tls.wrap(std::move(listener)));
//
// TLS 1.2 and 1.3, by mbedTLS, over any Stream: a socket, a pipe, the simulated network.
//
// End of stream. `read` yields 0 only after the peer's close_notify. A connection that ends without one was
// cut off, and fails with reset, like every fault after the handshake. Destroying a stream sends a
// close_notify if it can be sent without waiting, unless a write was cancelled half-way, the peer has been
// cut off, or reset_on_close was called: a truncated stream must not look finished.
//
// Latency. A handshake is computed in steps. For all connections of one TlsClient or TlsServer together, each
// turn of the reactor runs at most one step with a public-key operation. So a crowd of handshakes delays a
// timer by one step (about half a millisecond), not by all of them.
//
// Memory. A connection holds some 40 KiB while it works, 33 of them for records that may be large. After a
// second or two without a large record it gives half of that back to the system until the next.
//
// Certificates. The peer's certificates are checked against RFC 5280: signatures, validity, usages and
// lengths along the path, name constraints, critical extensions. If one path to a trusted certificate fails,
// others are tried. A server's name is looked for in the alternative names only, never in the subject (RFC
// 9525). A wildcard stands for one whole label, and not in front of a top-level domain; the public suffixes
// below those ("co.uk") are not known here. Certificate policies and revocation are not checked.
//
// Limits of mbedTLS. A ClientHello or another handshake message above 16 KiB ends the handshake (a message is
// kept in the buffer of one record), and so does a KeyUpdate after it. Early data from a client (0-RTT) is
// never read: up to 16 KiB of it are skipped.
//
// Certificates are checked against the system's time, and secrets are drawn from the system, in a simulation
// too. Everything here belongs to one thread.

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

// The versions of TLS that are spoken.
enum class TlsVersion : std::uint8_t { tls12, tls13 };

// An identity: a certificate, the intermediate certificates that lead from it to a root, and its key, all in
// PEM.
struct TlsIdentity {
  // Takes a certificate chain and its key, both PEM.
  TlsIdentity(std::string chain, std::string secret)
      : certificates(std::move(chain)), key(std::move(secret)) {}

  // Reads an identity from files. Errc::invalid_argument names the file that cannot be read. TlsClient::make
  // and TlsServer::make check the contents.
  static Result<TlsIdentity> read(const std::string& certificates_file, const std::string& key_file);

  std::string certificates;  // the identity's own one first
  std::string key;           // PEM, not encrypted
  // The origins, for messages; `read` sets them to the files' names.
  std::string certificates_from = "certificate";
  std::string key_from = "key";
};

// The outcome of a handshake.
struct TlsInfo {
  TlsVersion version = TlsVersion::tls12;  // agreed on
  std::string cipher;                      // the name of the cipher suite
  std::string alpn;                        // Stream::agreed_protocol; empty: none agreed on
  std::string server_name;   // client: the host; server: the name that the client asked for, if any
  std::string peer_subject;  // of the peer's certificate, "CN=..."; empty when it sent none
  bool resumed = false;      // by a ticket of an earlier connection: no certificates were sent
};

// An encrypted stream around another one.
class TlsStream : public Stream {
 public:
  // Completes the handshake; does nothing if it is complete. The first read, write or half-close does this
  // too. Fails with untrusted, bad_message, unsupported, reset or timed_out; a client has then sent nothing.
  // A cancelled handshake goes on with the next call; its time limit counts from the first.
  virtual Task<> handshake() = 0;
  // Returns the outcome. Only after a handshake (checked).
  virtual const TlsInfo& info() const = 0;
};

// Settings of a client's side.
struct TlsClientOptions {
  // The trusted certificates, as PEM: a file, or text. Both empty: the system's, which are read at the first
  // handshake, from the files in SSL_CERT_FILE and the folders in SSL_CERT_DIR (each a list, a:b) if either
  // is set, else from where distributions have them. For a program that carries its own, on systems that have
  // none: `trusted_pem = embedded_roots()`.
  std::string trusted_file;
  std::string trusted_pem;
  // Trusts the system's besides those that are given.
  bool trust_system_too = false;
  // The client's own identity, shown to servers that request one.
  std::optional<TlsIdentity> identity;
  // Pinned keys: "sha256//" and, in base64, the SHA-256 of a public key (of its SubjectPublicKeyInfo in DER,
  // as in curl and RFC 7469). If there are any, the key of the server's own certificate must be one of them,
  // and the certificate valid as well. Pin a second key that is not in use yet: the first may have to be
  // replaced.
  std::vector<std::string> pinned_keys;
  // Debugging: the file to which the secrets of each connection are appended, in the format of SSLKEYLOGFILE,
  // with which Wireshark decrypts a recording. With the file the traffic can be read. Created with
  // mode 0600.
  std::string key_log_file;
  // The same with the file that the environment variable SSLKEYLOGFILE names, if it is set. Without this the
  // variable is ignored: who controls the environment need not be allowed to read the traffic.
  bool key_log_from_environment = false;
  // The ALPN protocols to offer, preferred first. Empty: no ALPN.
  std::vector<std::string> alpn = {"http/1.1"};
  Duration handshake_timeout = 10s;
  TlsVersion oldest = TlsVersion::tls12;
  TlsVersion newest = TlsVersion::tls13;
  // The number of hosts whose last ticket is kept, to resume by. 0: no tickets.
  std::size_t tickets_max = 100;
  // Disables certificate verification. Insecure: does not protect against anybody who can touch the
  // connection. For experiments only.
  bool dangerously_accept_any_certificate = false;
};

// The client side of TLS: the trusted certificates, and the tickets of earlier connections. Copies share
// both. Can be used as http::ClientOptions::encrypt.
class TlsClient {
 public:
  // Makes a client. Fails with invalid_argument if a file, a PEM text or a pin is invalid, and says which.
  static Result<TlsClient> make(TlsClientOptions options = TlsClientOptions());

  // Returns a stream to `host` (a name or a literal address, which its certificate must be for) over a
  // connected one, after the handshake. Fails like TlsStream::handshake: untrusted for a certificate that
  // fails verification. Error::fault says why (Fault::certificate_expired, ...), the message with details.
  Task<std::unique_ptr<TlsStream>> connect(std::unique_ptr<Stream> stream, std::string host) const;

  // Overload for http::ClientOptions::encrypt.
  Task<std::unique_ptr<Stream>> operator()(std::unique_ptr<Stream> stream, std::string host) const;

 private:
  struct State;
  explicit TlsClient(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

// Returns the trusted certificates that this library was built with, as PEM: those of the file that the CMake
// option ESC_EMBEDDED_ROOTS names, as of that day. Empty if it named none. Linked only into programs that
// call this.
std::string embedded_roots();

// Settings of a server's side.
struct TlsServerOptions {
  // At least one. The name that a client asks for selects one by the names in the certificates: an exact
  // match, else a wildcard, else the first identity.
  std::vector<TlsIdentity> identities;
  // The ALPN protocols to accept, preferred first. A client that offers ALPN but none of these is refused.
  std::vector<std::string> alpn = {"http/1.1", "http/1.0"};
  Duration handshake_timeout = 10s;
  TlsVersion oldest = TlsVersion::tls12;
  TlsVersion newest = TlsVersion::tls13;
  // The time in which a client may resume, up to 7 days, under the name that it asked for first. 0: no
  // tickets.
  Duration ticket_lifetime = 24h;
  // The issuers to trust for client certificates, as PEM: a file, or text. Both empty: no client certificate
  // is requested. Clients that are asked for one get no tickets: they prove their identity each time.
  std::string clients_trusted_file;
  std::string clients_trusted_pem;
  // Requires a client certificate. If false, a client may send none, but one that it sends must be valid.
  bool client_certificate_required = true;
  // Called when a handshake fails, from within the task of the handshake: it must not destroy that task, nor
  // the owner of the connection (checked; Server::shutdown may be called). May be empty.
  std::function<void(const Error&)> on_failure;
};

// Counts since the server's side was made.
struct TlsServerStatistics {
  std::uint64_t handshakes = 0;  // completed, including the resumed ones
  std::uint64_t resumed = 0;     // by a ticket, without certificates
  std::uint64_t failed = 0;      // handshakes that did not complete
};

// The server side of TLS. Copies are handles to the same one.
class TlsServer {
 public:
  // Makes a server. Fails with invalid_argument: no identity, an invalid file or PEM text, a key that belongs
  // to another certificate.
  static Result<TlsServer> make(TlsServerOptions options);

  // Uses other options from the next connection on; existing connections keep theirs. If it fails nothing
  // changes. Invalidates tickets issued before.
  Result<> reload(TlsServerOptions options);

  // Returns a TLS stream over an accepted one, after the handshake.
  Task<std::unique_ptr<TlsStream>> accept(std::unique_ptr<Stream> stream) const;

  // Returns a listener of TLS streams that does not wait for handshakes: each stream does its own when it is
  // first used. Made for http::Server::serve.
  std::unique_ptr<Listener> wrap(std::unique_ptr<Listener> listener) const;

  // Returns the counts so far. Valid as long as this object.
  const TlsServerStatistics& statistics() const;

 private:
  struct State;
  explicit TlsServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace escapement
