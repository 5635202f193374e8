#include <algorithm>
#include <array>
#include <cstring>

extern "C" {
#include <mbedtls/constant_time.h>  // the only one of its headers that lacks its own extern "C"
}
#include <mbedtls/md.h>

#include <escapement/core/detail/ascii.h>
#include <escapement/io/tls/detail/engine.h>
#include <escapement/io/tls/detail/mbedtls.h>
#include <escapement/io/tls/detail/stream.h>

namespace escapement {

namespace detail {

namespace {

constexpr Duration ticket_lifetime_max = 168h;  // RFC 8446 section 4.6.1
constexpr std::size_t server_name_max = 255;

constexpr std::size_t ticket_seal_size = 32;
using TicketSeal = std::array<unsigned char, ticket_seal_size>;

// The most early data (0-RTT) that is skipped, in bytes. The client sends it before it knows the server's
// response; it is never used.
constexpr std::uint32_t early_data_skipped_max = 16 * KiB;

template <class Session>
void skip_early_data(Session& session) {
  if constexpr (requires { session.MBEDTLS_PRIVATE(max_early_data_size); })
    session.MBEDTLS_PRIVATE(max_early_data_size) = early_data_skipped_max;
}

class TlsServerContext final : public TlsContext {
 public:
  TlsServerContext(std::shared_ptr<TlsServerStatistics> statistics,
                   std::function<void(const Error&)> on_failure)
      : statistics_(std::move(statistics)), on_failure_(std::move(on_failure)) {}

  Result<> begin(TlsServerOptions options);

 private:
  Result<> begin_tickets(Duration lifetime);
  Result<> begin_client_certificates(const TlsServerOptions& options);
  TlsOwnCertificate& identity_for(std::string_view name);

  Result<> prepare(mbedtls_ssl_context&, TlsEngine& engine) override {
    engine.shows(identities_.front()->names);
    return {};
  }
  void before_step(TlsEngine& engine) override { stepping_ = &engine; }
  void established(mbedtls_ssl_context&, TlsEngine& engine) override {
    ++statistics_->handshakes;
    if (engine.info().resumed) ++statistics_->resumed;
  }
  void failed(const Error& error) override {
    ++statistics_->failed;
    if (on_failure_) on_failure_(error);
  }

  static int choose(void* context, mbedtls_ssl_context* ssl, const unsigned char* name, std::size_t length);
  static int hello_read(mbedtls_ssl_context* ssl);
  int seal_of(const unsigned char* ticket, std::size_t size, TicketSeal& seal) const;
  static int write_ticket(void* context, const mbedtls_ssl_session* session, unsigned char* begin,
                          const unsigned char* end, std::size_t* length, std::uint32_t* lifetime);
  static int parse_ticket(void* context, mbedtls_ssl_session* session, unsigned char* bytes,
                          std::size_t length);

  std::vector<std::unique_ptr<TlsOwnCertificate>> identities_;
  TlsTickets tickets_;
  std::array<unsigned char, ticket_seal_size> seal_key_{};
  std::shared_ptr<TlsServerStatistics> statistics_;
  std::function<void(const Error&)> on_failure_;
  TlsEngine* stepping_ = nullptr;  // the engine whose handshake calls back
};

Result<> TlsServerContext::begin(TlsServerOptions options) {
  Result<> begun = TlsContext::begin(MBEDTLS_SSL_IS_SERVER, options.oldest, options.newest,
                                     std::move(options.alpn), options.handshake_timeout);
  if (!begun) return begun;
  if (options.identities.empty()) return Error(Errc::invalid_argument, "TLS: a server needs a certificate");
  for (const TlsIdentity& identity : options.identities) {
    Result<std::unique_ptr<TlsOwnCertificate>> parsed = parse_identity(identity);
    if (!parsed) return std::move(parsed).error();
    identities_.push_back(*std::move(parsed));
  }
  TlsOwnCertificate& first = *identities_.front();
  const int set = mbedtls_ssl_conf_own_cert(config_.get(), first.chain.get(), first.key.get());
  if (set != 0) return Error(Errc::overloaded, "TLS: " + mbedtls_text(set));
  mbedtls_ssl_conf_sni(config_.get(), &choose, this);
  mbedtls_ssl_conf_cert_cb(config_.get(), &hello_read);
  if (!options.clients_trusted_file.empty() || !options.clients_trusted_pem.empty()) {
    return begin_client_certificates(options);
  }
  mbedtls_ssl_conf_authmode(config_.get(), MBEDTLS_SSL_VERIFY_NONE);
  return begin_tickets(std::min(options.ticket_lifetime, ticket_lifetime_max));
}

Result<> TlsServerContext::begin_tickets(Duration lifetime) {
  const std::int64_t seconds = lifetime.count() / Duration(1s).count();
  if (seconds <= 0) return {};
  const int made = mbedtls_ssl_ticket_setup(tickets_.get(), mbedtls_ctr_drbg_random, random_.get(),
                                            MBEDTLS_CIPHER_AES_256_GCM, static_cast<std::uint32_t>(seconds));
  if (made != 0) return Error(Errc::overloaded, "TLS tickets: " + mbedtls_text(made));
  if (mbedtls_ctr_drbg_random(random_.get(), seal_key_.data(), seal_key_.size()) != 0)
    return Error(Errc::internal, "TLS tickets: no randomness");
  mbedtls_ssl_conf_session_tickets_cb(config_.get(), &write_ticket, &parse_ticket, this);
  return {};
}

Result<> TlsServerContext::begin_client_certificates(const TlsServerOptions& options) {
  if (!options.clients_trusted_file.empty()) {
    Result<> added = add_certificate_file(trusted_.get(), options.clients_trusted_file, false);
    if (!added) return added;
  }
  if (!options.clients_trusted_pem.empty()) {
    Result<> added = add_certificates(trusted_.get(), options.clients_trusted_pem, false,
                                      "certificates to trust clients by");
    if (!added) return added;
  }
  mbedtls_ssl_conf_ca_chain(config_.get(), trusted_.get(), nullptr);
  mbedtls_ssl_conf_authmode(config_.get(), options.client_certificate_required ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                                               : MBEDTLS_SSL_VERIFY_OPTIONAL);
  return {};
}

// Prefers an exact name, then a wildcard, then the first identity.
TlsOwnCertificate& TlsServerContext::identity_for(std::string_view name) {
  TlsOwnCertificate* by_wildcard = nullptr;
  for (const std::unique_ptr<TlsOwnCertificate>& identity : identities_) {
    for (const std::string& own : identity->names) {
      if (own == name) return *identity;
      if (by_wildcard == nullptr && covers(own, name)) by_wildcard = identity.get();
    }
  }
  return by_wildcard != nullptr ? *by_wildcard : *identities_.front();
}

int TlsServerContext::choose(void* context, mbedtls_ssl_context* ssl, const unsigned char* name,
                             std::size_t length) {
  auto* self = static_cast<TlsServerContext*>(context);
  return guarded([&] {
    TlsEngine& engine = *self->stepping_;
    // Refuses a TLS 1.2 ticket that comes before the name: it was issued to a client that asked for none.
    if (engine.info().resumed && engine.info().server_name.empty()) return MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME;
    std::string wanted = lower({reinterpret_cast<const char*>(name), std::min(length, server_name_max)});
    TlsOwnCertificate& identity = self->identity_for(wanted);
    engine.info().server_name = std::move(wanted);
    engine.shows(identity.names);
    return mbedtls_ssl_set_hs_own_cert(ssl, identity.chain.get(), identity.key.get());
  });
}

// Called when a ClientHello was read completely.
int TlsServerContext::hello_read(mbedtls_ssl_context* ssl) {
  skip_early_data(*ssl->MBEDTLS_PRIVATE(session_negotiate));
  return 0;
}

// Seals a ticket: it is valid only for the name that it was issued under (RFC 6066 section 3). Returns 0 or
// mbedTLS's error: the digest needs memory.
int TlsServerContext::seal_of(const unsigned char* ticket, std::size_t size, TicketSeal& seal) const {
  std::string sealed(reinterpret_cast<const char*>(ticket), size);
  sealed += stepping_->info().server_name;
  return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), seal_key_.data(), seal_key_.size(),
                         reinterpret_cast<const unsigned char*>(sealed.data()), sealed.size(), seal.data());
}

int TlsServerContext::write_ticket(void* context, const mbedtls_ssl_session* session, unsigned char* begin,
                                   const unsigned char* end, std::size_t* length, std::uint32_t* lifetime) {
  auto* self = static_cast<TlsServerContext*>(context);
  return guarded([&] {
    *length = 0;
    *lifetime = 0;
    if (static_cast<std::size_t>(end - begin) < ticket_seal_size) return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    const int written = mbedtls_ssl_ticket_write(self->tickets_.get(), session, begin, end - ticket_seal_size,
                                                 length, lifetime);
    if (written != 0) return written;
    TicketSeal seal{};
    const int sealed = self->seal_of(begin, *length, seal);
    if (sealed != 0) {
      *length = 0;
      return sealed;
    }
    std::memcpy(begin + *length, seal.data(), seal.size());
    *length += seal.size();
    return 0;
  });
}

int TlsServerContext::parse_ticket(void* context, mbedtls_ssl_session* session, unsigned char* bytes,
                                   std::size_t length) {
  auto* self = static_cast<TlsServerContext*>(context);
  return guarded([&] {
    if (length < ticket_seal_size) return MBEDTLS_ERR_SSL_INVALID_MAC;
    const std::size_t size = length - ticket_seal_size;
    TicketSeal seal{};
    const int sealed = self->seal_of(bytes, size, seal);
    if (sealed != 0) return sealed;
    if (mbedtls_ct_memcmp(seal.data(), bytes + size, seal.size()) != 0) return MBEDTLS_ERR_SSL_INVALID_MAC;
    const int returned = mbedtls_ssl_ticket_parse(self->tickets_.get(), session, bytes, size);
    self->stepping_->info().resumed = returned == 0;
    return returned;
  });
}

}  // namespace

}  // namespace detail

struct TlsServer::State {
  // The context for new connections.
  std::shared_ptr<detail::TlsServerContext> context;
  std::shared_ptr<TlsServerStatistics> statistics = std::make_shared<TlsServerStatistics>();

  Result<> load(TlsServerOptions options) {
    auto fresh = std::make_shared<detail::TlsServerContext>(statistics, options.on_failure);
    Result<> begun = fresh->begin(std::move(options));
    if (begun) context = std::move(fresh);
    return begun;
  }

  std::unique_ptr<TlsStream> wrap(std::unique_ptr<Stream> stream) const {
    return detail::make_tls_stream(context, std::move(stream), std::string());
  }
};

Result<TlsServer> TlsServer::make(TlsServerOptions options) {
  auto state = std::make_shared<State>();
  Result<> loaded = state->load(std::move(options));
  if (!loaded) return std::move(loaded).error();
  return TlsServer(std::move(state));
}

Result<> TlsServer::reload(TlsServerOptions options) { return state_->load(std::move(options)); }

Task<std::unique_ptr<TlsStream>> TlsServer::accept(std::unique_ptr<Stream> stream) const {
  std::unique_ptr<TlsStream> made = state_->wrap(std::move(stream));
  co_await made->handshake();
  co_return std::move(made);
}

std::unique_ptr<Listener> TlsServer::wrap(std::unique_ptr<Listener> listener) const {
  class TlsListener final : public Listener {
   public:
    TlsListener(std::shared_ptr<State> state, std::unique_ptr<Listener> inner)
        : state_(std::move(state)), inner_(std::move(inner)) {}
    Task<std::unique_ptr<Stream>> accept() override {
      std::unique_ptr<Stream> stream = co_await inner_->accept();
      co_return state_->wrap(std::move(stream));
    }
    std::uint16_t port() const override { return inner_->port(); }
    std::string address() const override { return inner_->address(); }

   private:
    std::shared_ptr<State> state_;
    std::unique_ptr<Listener> inner_;
  };
  return std::make_unique<TlsListener>(state_, std::move(listener));
}

const TlsServerStatistics& TlsServer::statistics() const { return *state_->statistics; }

}  // namespace escapement
