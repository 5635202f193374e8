#include <escapement/io/tls/detail/engine.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <escapement/io/tls/detail/mbedtls.h>
#include <escapement/io/tls/detail/memory.h>
#include <escapement/io/tls/detail/verify.h>

namespace escapement::detail {

namespace {

constexpr std::size_t outgoing_enough = 64 * KiB;  // no more is encrypted until this has been sent
constexpr std::size_t outgoing_max = 128 * KiB;    // limits what the peer can make us send on top of that
constexpr std::uint64_t handshake_records_max = 1000;
constexpr std::uint64_t idle_records_max = 100;  // in a row that carry no data: tickets, alerts, nothing

constexpr unsigned char alert_record = 21;
constexpr unsigned char encrypted_record = 23;  // may be an alert

// Explains an alert, if it is one that a person can act on.
std::string alert_text(std::uint8_t alert) {
  switch (alert) {
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE: return "it accepts nothing that we offer";
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION: return "it speaks no TLS version that we accept";
    case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA: return "it does not trust the issuer of our certificate";
    case MBEDTLS_SSL_ALERT_MSG_BAD_CERT:
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN:
    case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT: return "it does not accept our certificate";
    case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED: return "it says that our certificate has expired";
    case MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME: return "it does not serve that name";
    case MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL: return "no protocol in common (ALPN)";
    case MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED: return "it requires a client certificate";
    default: return "alert " + std::to_string(alert);
  }
}

// Returns the alert for a failure for which mbedTLS itself has sent none (RFC 8446 section 6.2).
std::uint8_t alert_for(int failure, bool established) {
  switch (failure) {
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE: return MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE;
    case MBEDTLS_ERR_SSL_INVALID_MAC: return MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC;
    case MBEDTLS_ERR_SSL_DECODE_ERROR: return MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION: return MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION;
    case MBEDTLS_ERR_X509_FATAL_ERROR: return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL: return MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL;
    case MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION: return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
    case MBEDTLS_ERR_SSL_INTERNAL_ERROR: return MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR;
    case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER:
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:       // a key share of the wrong size
    case MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL:     // a message that does not fit
    case MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE:  // the same
    case MBEDTLS_ERR_ECP_BAD_INPUT_DATA:       // not a point on the curve
    case MBEDTLS_ERR_ECP_INVALID_KEY: return MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER;
    default:
      return established ? MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR : MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;
  }
}

}  // namespace

struct TlsEngine::Ssl {
  Owned<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free> context;
  PeerVerification verification;
  CertificateFindings findings;

  mbedtls_ssl_context* get() { return context.get(); }

  static int send(void* engine_pointer, const unsigned char* bytes, std::size_t count) {
    auto* engine = static_cast<TlsEngine*>(engine_pointer);
    return guarded([&] {
      if (engine->outgoing_.size() >= outgoing_max) return MBEDTLS_ERR_SSL_WANT_WRITE;
      engine->outgoing_.append(reinterpret_cast<const char*>(bytes), count);
      engine->note_size(count);
      engine->told_ = bytes[0] == alert_record || bytes[0] == encrypted_record;
      return static_cast<int>(count);
    });
  }

  static int receive(void* engine_pointer, unsigned char* into, std::size_t room) {
    auto* engine = static_cast<TlsEngine*>(engine_pointer);
    const std::size_t count = engine->records_.take({reinterpret_cast<std::byte*>(into), room});
    if (engine->records_.foreign()) return MBEDTLS_ERR_SSL_INVALID_RECORD;
    const std::uint64_t most = engine->established_ ? idle_records_max : handshake_records_max;
    if (engine->records_.records() - engine->records_at_progress_ > most) return MBEDTLS_ERR_SSL_TIMEOUT;
    engine->note_size(count);
    return count == 0 ? MBEDTLS_ERR_SSL_WANT_READ : static_cast<int>(count);
  }

  // Called for each certificate of the path that mbedTLS has found, the root first. Gives the verdict with
  // the last, the peer's own.
  static int verify(void* engine_pointer, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
    auto* engine = static_cast<TlsEngine*>(engine_pointer);
    return guarded([&] {
      Ssl& ssl = *engine->ssl_;
      ssl.verification.add(*certificate, depth, std::exchange(*flags, 0));
      if (depth != 0) return 0;
      const bool server = !engine->host_.empty();
      *flags = ssl.verification.verdict({engine->context_->trusted(), server, engine->host_}, ssl.findings);
      if (engine->context_->accepts_key(*certificate)) return 0;
      ssl.findings.add(Fault::certificate_not_pinned, "has a key that is none of the pinned ones");
      return MBEDTLS_ERR_X509_FATAL_ERROR;  // ends the handshake where verification is optional, too
    });
  }
};

TlsEngine::TlsEngine(std::shared_ptr<TlsContext> context, std::string host, std::string peer)
    : context_(std::move(context)), host_(std::move(host)), peer_(std::move(peer)) {
  info_.server_name = host_;
}

TlsEngine::~TlsEngine() = default;

// Allocates a connection's memory, some 40 KiB. Called when the handshake begins.
Result<> TlsEngine::set_up() {
  ssl_ = std::make_unique<Ssl>();
  const int made = mbedtls_ssl_setup(ssl_->get(), context_->config());
  if (made != 0) return Error(Errc::overloaded, "TLS: " + mbedtls_text(made));
  mbedtls_ssl_set_user_data_p(ssl_->get(), this);
  mbedtls_ssl_set_bio(ssl_->get(), this, &Ssl::send, &Ssl::receive, nullptr);
  mbedtls_ssl_set_verify(ssl_->get(), &Ssl::verify, this);
  return context_->prepare(*ssl_->get(), *this);
}

TlsEngine::Step TlsEngine::handshake() {
  if (error_) return Step::failed;
  if (established_) return Step::done;
  const Step happened = step();
  if (happened == Step::failed) context_->failed(*error_);
  return happened;
}

TlsEngine::Step TlsEngine::step() {
  if (!ssl_) {
    Result<> made = set_up();
    if (!made) {
      error_ = std::move(made).error();
      return Step::failed;
    }
  }
  context_->before_step(*this);
  told_ = false;
  const int returned = mbedtls_ssl_handshake_step(ssl_->get());
  if (returned != 0) return outcome(returned);
  if (mbedtls_ssl_is_handshake_over(ssl_->get()) == 0) return Step::again;
  return established();
}

// Follows mbedTLS 3.6's ssl_tls12_*.c and ssl_tls13_*.c, whose ClientHello and ServerHello hold a key in TLS
// 1.3.
bool TlsEngine::light_step_next() const {
  if (!ssl_) return true;
  const mbedtls_ssl_context& ssl = *ssl_->context.get();
  const bool server = host_.empty();
  switch (ssl.MBEDTLS_PRIVATE(state)) {
    case MBEDTLS_SSL_HELLO_REQUEST:
    case MBEDTLS_SSL_ENCRYPTED_EXTENSIONS:
    case MBEDTLS_SSL_CERTIFICATE_REQUEST:
    case MBEDTLS_SSL_SERVER_HELLO_DONE:
    case MBEDTLS_SSL_CLIENT_CHANGE_CIPHER_SPEC:
    case MBEDTLS_SSL_CLIENT_FINISHED:
    case MBEDTLS_SSL_SERVER_CHANGE_CIPHER_SPEC:
    case MBEDTLS_SSL_SERVER_FINISHED:
    case MBEDTLS_SSL_SERVER_CCS_AFTER_SERVER_HELLO:
    case MBEDTLS_SSL_NEW_SESSION_TICKET:
    case MBEDTLS_SSL_TLS1_3_NEW_SESSION_TICKET:
    case MBEDTLS_SSL_TLS1_3_NEW_SESSION_TICKET_FLUSH:
    case MBEDTLS_SSL_FLUSH_BUFFERS:
    case MBEDTLS_SSL_HANDSHAKE_WRAPUP: return true;
    case MBEDTLS_SSL_CLIENT_HELLO:
    case MBEDTLS_SSL_SERVER_CERTIFICATE: return server;
    case MBEDTLS_SSL_SERVER_HELLO:
      return server && mbedtls_ssl_get_version_number(&ssl) == MBEDTLS_SSL_VERSION_TLS1_2;
    default: return false;
  }
}

TlsEngine::Step TlsEngine::established() {
  // If a certificate is optional, mbedTLS also lets an invalid one pass.
  const std::uint32_t flags = mbedtls_ssl_get_verify_result(ssl_->get());
  if (host_.empty() && ssl_->findings.any && flags != 0) {
    error_ = certificate_error(ssl_->findings, flags, peer_name());
    mbedtls_ssl_send_alert_message(ssl_->get(), MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                   MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return Step::failed;
  }
  established_ = true;
  grown_ = true;  // mbedTLS begins by clearing its whole buffers
  records_at_progress_ = records_.records();
  const bool newest = mbedtls_ssl_get_version_number(ssl_->get()) == MBEDTLS_SSL_VERSION_TLS1_3;
  info_.version = newest ? TlsVersion::tls13 : TlsVersion::tls12;
  info_.cipher = mbedtls_ssl_get_ciphersuite(ssl_->get());
  const char* protocol = mbedtls_ssl_get_alpn_protocol(ssl_->get());
  if (protocol != nullptr) info_.alpn = protocol;
  info_.peer_subject = ssl_->findings.subject;
  if (!host_.empty()) info_.resumed = !ssl_->findings.any;  // a full handshake shows a certificate
  context_->established(*ssl_->get(), *this);
  ssl_->findings = CertificateFindings();
  return Step::done;
}

bool TlsEngine::has_input() const {
  return records_.whole_record() || mbedtls_ssl_check_pending(ssl_->context.get()) != 0;
}

// Prepares for the rest of a completed handshake, a server's tickets in TLS 1.3, which goes with the next
// read or write and calls the context back.
void TlsEngine::before_record() {
  if (ssl_->context.get()->MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) context_->before_step(*this);
}

TlsEngine::Step TlsEngine::read(MutableBytes into, std::size_t& count) {
  if (error_) return Step::failed;
  before_record();
  told_ = false;
  const int returned =
      mbedtls_ssl_read(ssl_->get(), reinterpret_cast<unsigned char*>(into.data()), into.size());
  if (returned <= 0) return outcome(returned == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : returned);
  count = static_cast<std::size_t>(returned);
  records_at_progress_ = records_.records();
  return Step::done;
}

TlsEngine::Step TlsEngine::look() {
  if (error_) return Step::failed;
  before_record();
  told_ = false;
  const int returned = mbedtls_ssl_read(ssl_->get(), nullptr, 0);
  if (returned != 0) return outcome(returned);
  return mbedtls_ssl_get_bytes_avail(ssl_->get()) != 0 ? Step::done : Step::again;
}

TlsEngine::Step TlsEngine::write(Bytes bytes, std::size_t& count) {
  if (error_) return Step::failed;
  if (outgoing_.size() >= outgoing_enough) return Step::wants_room;
  before_record();
  const int returned =
      mbedtls_ssl_write(ssl_->get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  if (returned < 0) return outcome(returned);
  count = static_cast<std::size_t>(returned);
  return Step::done;
}

TlsEngine::Step TlsEngine::close() {
  if (error_) return Step::failed;
  const int returned = mbedtls_ssl_close_notify(ssl_->get());
  return returned == 0 ? Step::done : outcome(returned);
}

// A client that asks for no name has been shown the first certificate, and is trusted to know what it does.
bool TlsEngine::speaks_for(std::string_view host) const {
  if (own_names_ == nullptr || info_.server_name.empty() || info_.server_name == host) return true;
  return std::any_of(own_names_->begin(), own_names_->end(),
                     [host](const std::string& name) { return covers(name, host); });
}

void TlsEngine::note_size(std::size_t record) {
  if (record > small_record_max) grown_ = large_record_ = true;
}

bool TlsEngine::shrink() {
  if (error_) return false;
  if (std::exchange(large_record_, false)) return true;
  grown_ = !give_back_record_buffers(*ssl_->get());
  return false;
}

// mbedTLS also returns "wants to read" when it holds back something that it has already read.
TlsEngine::Step TlsEngine::outcome(int returned) {
  switch (returned) {
    case MBEDTLS_ERR_SSL_WANT_READ:
      if (mbedtls_ssl_check_pending(ssl_->get()) != 0 || records_.whole_record()) return Step::again;
      return Step::wants_input;
    case MBEDTLS_ERR_SSL_WANT_WRITE: return Step::wants_room;
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
      context_->ticket(*ssl_->get(), *this);
      return Step::again;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
      if (established_) return Step::closed;
      return fail_with(returned);
    default: return fail_with(returned);
  }
}

TlsEngine::Step TlsEngine::fail_with(int returned) {
  tell(returned);
  error_ = established_ ? broken(returned) : handshake_error(returned);
  return Step::failed;
}

// Sends an alert, unless mbedTLS has sent one or the peer could not read it.
void TlsEngine::tell(int failure) {
  if (told_ || records_.foreign()) return;
  switch (failure) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_TIMEOUT: return;
    default: break;
  }
  const std::uint8_t alert =
      records_.too_long() ? MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW : alert_for(failure, established_);
  // If something waits to be sent, the first call sends only that.
  for (int i = 0; i < 2 && !told_; ++i)
    mbedtls_ssl_send_alert_message(ssl_->get(), MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

// After the handshake every fault means that the connection broke: the peer may have acted on what was sent.
Error TlsEngine::broken(int returned) const {
  if (returned == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    return Error(Errc::reset, peer_name() + " ended the TLS connection with a fatal alert");
  }
  if (returned == MBEDTLS_ERR_SSL_TIMEOUT) {
    return Error(Errc::reset, peer_name() + " sends endless TLS records without data");
  }
  return Error(Errc::reset, "the TLS connection with " + peer_name() + " broke: " + mbedtls_text(returned));
}

Error TlsEngine::handshake_error(int returned) const {
  const std::string& peer = peer_name();
  const std::string failed = "TLS handshake with " + peer + ": ";
  if (records_.foreign()) return Error(Errc::bad_message, peer + " does not speak TLS");
  switch (returned) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE: {
      if (!ssl_->findings.any) break;
      const std::uint32_t flags = mbedtls_ssl_get_verify_result(ssl_->context.get());
      return certificate_error(ssl_->findings, flags, peer);
    }
    case MBEDTLS_ERR_X509_FATAL_ERROR:
      if (ssl_->findings.fault == Fault::none) break;
      return certificate_error(ssl_->findings, 0, peer);
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
      return Error(Errc::untrusted, failed + "it sent no certificate, which is required")
          .because(Fault::certificate_missing);
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
      return Error(Errc::bad_message, failed + "it speaks no TLS version that we accept");
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
      return Error(Errc::bad_message, failed + "no protocol in common (ALPN)");
    case MBEDTLS_ERR_SSL_TIMEOUT: return Error(Errc::bad_message, failed + "too many records");
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return Error(Errc::reset, failed + "it gave up");
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
      return Error(Errc::bad_message,
                   failed + (records_.plain_alert() ? alert_text(*records_.plain_alert())
                                                    : std::string("it refused with a fatal alert")));
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
      return Error::from_errno(ENOMEM, std::string_view(failed).substr(0, failed.size() - 2));
    default: break;
  }
  return Error(Errc::bad_message, failed + mbedtls_text(returned));
}

}  // namespace escapement::detail
