// Declarations around mbedTLS that the files of io/tls/detail share. Private: not installed, and included
// nowhere else.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <escapement/core/event.h>
#include <escapement/io/tls/tls.h>

namespace escapement::detail {

class TlsEngine;

// Owns a structure of mbedTLS: initializes and frees it.
template <class T, void (*Init)(T*), void (*Free)(T*)>
class Owned {
 public:
  Owned() { Init(&value_); }
  Owned(const Owned&) = delete;
  ~Owned() { Free(&value_); }
  T* get() { return &value_; }
  const T* get() const { return &value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

 private:
  T value_;
};

using TlsConfig = Owned<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;
using TlsSession = Owned<mbedtls_ssl_session, mbedtls_ssl_session_init, mbedtls_ssl_session_free>;
using TlsTickets = Owned<mbedtls_ssl_ticket_context, mbedtls_ssl_ticket_init, mbedtls_ssl_ticket_free>;
using X509Chain = Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using PrivateKey = Owned<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;

// Returns mbedTLS's text for an error: "X509 - Certificate verification failed, e.g. CRL, CA or signature
// check failed".
std::string mbedtls_text(int error);

// An identity in mbedTLS's form, and the names it is for.
struct TlsOwnCertificate {
  X509Chain chain;
  PrivateKey key;
  std::vector<std::string> names;  // lower case
};

// The state shared by all connections of one configuration, which keep it alive.
class TlsContext {
 public:
  virtual ~TlsContext() = default;

  const mbedtls_ssl_config* config() const { return config_.get(); }
  Duration handshake_timeout() const { return handshake_timeout_; }
  // Returns the issuers that the peer's certificates have to come from, as a list.
  const mbedtls_x509_crt* trusted() const { return trusted_.get(); }
  // One permit: held during a heavy step of a handshake, until the turn ends.
  Semaphore& steps() { return steps_; }
  // Called before a connection's first step. Does what only its side of TLS needs.
  virtual Result<> prepare(mbedtls_ssl_context& ssl, TlsEngine& engine) = 0;
  // Called before each step of a handshake, and when it is complete.
  virtual void before_step(TlsEngine&) {}
  virtual void established(mbedtls_ssl_context&, TlsEngine&) {}
  // Called when a ticket has arrived.
  virtual void ticket(mbedtls_ssl_context&, TlsEngine&) {}
  virtual void failed(const Error&) {}
  // Returns whether the peer's own certificate has a key that may be believed, apart from its issuers.
  virtual bool accepts_key(const mbedtls_x509_crt&) { return true; }

 protected:
  // Starts the library and this context's own random generator, and sets what both sides have in common.
  Result<> begin(int endpoint, TlsVersion oldest, TlsVersion newest, std::vector<std::string> alpn,
                 Duration handshake_timeout);
  Result<std::unique_ptr<TlsOwnCertificate>> parse_identity(const TlsIdentity& identity);

  TlsConfig config_;
  X509Chain trusted_;
  Owned<mbedtls_entropy_context, mbedtls_entropy_init, mbedtls_entropy_free> entropy_;
  Owned<mbedtls_ctr_drbg_context, mbedtls_ctr_drbg_init, mbedtls_ctr_drbg_free> random_;

 private:
  std::vector<std::string> alpn_;
  std::vector<const char*> alpn_pointers_;
  Duration handshake_timeout_;
  Semaphore steps_{1};
};

// --- Certificates (certificates.cpp)

// Adds the certificates of a PEM text or file, or the one of a DER text. If `lenient`, skips certificates
// that are not understood, as long as any is left. Fails with Errc::invalid_argument; `what` begins the
// message.
Result<> add_certificates(mbedtls_x509_crt* chain, std::string_view pem, bool lenient, std::string_view what);
Result<> add_certificate_file(mbedtls_x509_crt* chain, const std::string& file, bool lenient);
// Adds the certificates of the files in SSL_CERT_FILE and the folders in SSL_CERT_DIR (lists) if either is
// set, else of the distribution's file.
Result<> add_system_roots(mbedtls_x509_crt* chain);
Result<std::string> read_whole_file(const std::string& file);

// Returns the names that a certificate lists, DNS names in lower case and addresses.
std::vector<std::string> names_of(const mbedtls_x509_crt& certificate);
// Returns whether it is for this host: a name or a literal address, ignoring case.
bool is_for_host(const mbedtls_x509_crt& certificate, std::string_view host);
// Returns whether the name of a certificate, which may begin with "*.", is for the host; both in lower case.
// The star stands for one label, and not in front of a top-level domain: "*.test" covers nothing.
bool covers(std::string_view name, std::string_view host);
bool is_literal_address(std::string_view host);

// --- Callbacks

// Runs the body of a callback from mbedTLS, which is C: no exception may pass through it.
template <class F>
int guarded(F body) {
  int outcome = 0;
  auto call = [&] { outcome = body(); };
  const std::optional<Error> thrown = catching(call);
  return thrown ? MBEDTLS_ERR_SSL_ALLOC_FAILED : outcome;
}

}  // namespace escapement::detail
