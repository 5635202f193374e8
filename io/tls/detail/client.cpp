#include <algorithm>
#include <cstdlib>

#include <escapement/io/tls/detail/engine.h>
#include <escapement/io/tls/detail/key_log.h>
#include <escapement/io/tls/detail/mbedtls.h>
#include <escapement/io/tls/detail/pinned_keys.h>
#include <escapement/io/tls/detail/stream.h>

namespace escapement {

namespace detail {

namespace {

// The last ticket of each host, least recently used first. A ticket is used once (RFC 8446 appendix C.4).
class TicketStore {
 public:
  explicit TicketStore(std::size_t most) : most_(most) {}

  void put(const std::string& host, std::unique_ptr<TlsSession> session) {
    take(host);
    if (most_ == 0) return;
    if (held_.size() == most_) held_.erase(held_.begin());
    held_.emplace_back(host, std::move(session));
  }

  std::unique_ptr<TlsSession> take(const std::string& host) {
    const auto at =
        std::find_if(held_.begin(), held_.end(), [&](const auto& held) { return held.first == host; });
    if (at == held_.end()) return nullptr;
    std::unique_ptr<TlsSession> session = std::move(at->second);
    held_.erase(at);
    return session;
  }

 private:
  std::size_t most_;
  std::vector<std::pair<std::string, std::unique_ptr<TlsSession>>> held_;
};

class TlsClientContext final : public TlsContext {
 public:
  explicit TlsClientContext(const TlsClientOptions& options) : tickets_(options.tickets_max) {}

  Result<> begin(TlsClientOptions options);

 private:
  Result<> prepare(mbedtls_ssl_context& ssl, TlsEngine& engine) override;
  void established(mbedtls_ssl_context& ssl, TlsEngine& engine) override {
    // A TLS 1.2 ticket arrives within the handshake.
    if (engine.info().version == TlsVersion::tls12) ticket(ssl, engine);
  }
  void ticket(mbedtls_ssl_context& ssl, TlsEngine& engine) override {
    auto session = std::make_unique<TlsSession>();
    if (mbedtls_ssl_get_session(&ssl, session->get()) != 0) return;
    tickets_.put(engine.host(), std::move(session));
  }
  bool accepts_key(const mbedtls_x509_crt& certificate) override { return pins_.accept(certificate); }
  Result<> trust(const TlsClientOptions& options);
  Result<> debug(const TlsClientOptions& options);

  bool roots_missing_ = false;  // the system's are to be read at the first handshake
  std::unique_ptr<TlsOwnCertificate> identity_;
  PinnedKeys pins_;
  std::unique_ptr<KeyLog> key_log_;
  TicketStore tickets_;
};

// Reads the certificates that are given, and the pins.
Result<> TlsClientContext::trust(const TlsClientOptions& options) {
  if (!options.trusted_file.empty()) {
    Result<> added = add_certificate_file(trusted_.get(), options.trusted_file, true);
    if (!added) return added;
  }
  if (!options.trusted_pem.empty()) {
    Result<> added = add_certificates(trusted_.get(), options.trusted_pem, true, "certificates to trust");
    if (!added) return added;
  }
  for (const std::string& pin : options.pinned_keys) {
    Result<> added = pins_.add(pin);
    if (!added) return added;
  }
  const bool verify = !options.dangerously_accept_any_certificate;
  roots_missing_ = verify && (trusted_->version == 0 || options.trust_system_too);
  return {};
}

Result<> TlsClientContext::debug(const TlsClientOptions& options) {
  std::string file = options.key_log_file;
  const char* variable = options.key_log_from_environment ? std::getenv("SSLKEYLOGFILE") : nullptr;
  if (file.empty() && variable != nullptr) file = variable;
  if (file.empty()) return {};
  Result<std::unique_ptr<KeyLog>> opened = KeyLog::open(file);
  if (!opened) return std::move(opened).error();
  key_log_ = *std::move(opened);
  return {};
}

Result<> TlsClientContext::begin(TlsClientOptions options) {
  Result<> begun = TlsContext::begin(MBEDTLS_SSL_IS_CLIENT, options.oldest, options.newest,
                                     std::move(options.alpn), options.handshake_timeout);
  if (!begun) return begun;
  const bool verify = !options.dangerously_accept_any_certificate;
  // "Optional" still looks at the certificates, which is how a resumed handshake is told from a full one.
  mbedtls_ssl_conf_authmode(config_.get(),
                            verify ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_OPTIONAL);
  mbedtls_ssl_conf_session_tickets(config_.get(), options.tickets_max == 0
                                                      ? MBEDTLS_SSL_SESSION_TICKETS_DISABLED
                                                      : MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      config_.get(), options.tickets_max == 0 ? MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED
                                              : MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
  Result<> trusted = trust(options);
  if (!trusted) return trusted;
  Result<> logged = debug(options);
  if (!logged) return logged;
  mbedtls_ssl_conf_ca_chain(config_.get(), trusted_.get(), nullptr);
  if (!options.identity) return {};
  Result<std::unique_ptr<TlsOwnCertificate>> identity = parse_identity(*options.identity);
  if (!identity) return std::move(identity).error();
  identity_ = *std::move(identity);
  mbedtls_ssl_conf_own_cert(config_.get(), identity_->chain.get(), identity_->key.get());
  return {};
}

Result<> TlsClientContext::prepare(mbedtls_ssl_context& ssl, TlsEngine& engine) {
  if (roots_missing_) {
    Result<> added = add_system_roots(trusted_.get());
    if (!added) return added;
    roots_missing_ = false;
  }
  if (key_log_) key_log_->watch(ssl);
  // Sets the name always, or it would not be checked. An address is no server name: the engine checks it.
  const std::string& host = engine.host();
  const int set = mbedtls_ssl_set_hostname(&ssl, is_literal_address(host) ? nullptr : host.c_str());
  if (set != 0) return Error(Errc::invalid_argument, "TLS: not a host name: " + host);
  const std::unique_ptr<TlsSession> session = tickets_.take(host);
  if (session) (void)mbedtls_ssl_set_session(&ssl, session->get());  // else a full handshake
  return {};
}

// Spells a host as certificates and server names do.
std::string plain_host(std::string host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.size() > 1 && host.back() == '.') host.pop_back();
  return host;
}

}  // namespace

}  // namespace detail

struct TlsClient::State {
  std::shared_ptr<detail::TlsClientContext> context;
};

Result<TlsClient> TlsClient::make(TlsClientOptions options) {
  auto state = std::make_shared<State>();
  state->context = std::make_shared<detail::TlsClientContext>(options);
  Result<> begun = state->context->begin(std::move(options));
  if (!begun) return std::move(begun).error();
  return TlsClient(std::move(state));
}

namespace {

Task<std::unique_ptr<TlsStream>> connect_over(std::shared_ptr<detail::TlsContext> context,
                                              std::unique_ptr<Stream> stream, std::string host) {
  if (host.empty()) co_return Error(Errc::invalid_argument, "TLS: no host to verify").nothing_sent();
  std::unique_ptr<TlsStream> made =
      detail::make_tls_stream(std::move(context), std::move(stream), detail::plain_host(std::move(host)));
  co_await made->handshake();
  co_return std::move(made);
}

}  // namespace

Task<std::unique_ptr<TlsStream>> TlsClient::connect(std::unique_ptr<Stream> stream, std::string host) const {
  return connect_over(state_->context, std::move(stream), std::move(host));
}

Task<std::unique_ptr<Stream>> TlsClient::operator()(std::unique_ptr<Stream> stream, std::string host) const {
  std::shared_ptr<State> state = state_;  // the task may outlive this copy
  std::unique_ptr<TlsStream> made = co_await connect_over(state->context, std::move(stream), std::move(host));
  co_return std::move(made);
}

}  // namespace escapement
