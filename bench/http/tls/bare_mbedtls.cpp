// mbedTLS, set up as io/tls/detail/contexts.cpp and io/tls/detail/server.cpp do.

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "bare.h"

namespace {

void must(int outcome, const char* what) {
  if (outcome == 0) return;
  std::fprintf(stderr, "bench: %s: mbedTLS error -0x%x\n", what, -outcome);
  std::exit(1);
}

struct Context {
  Context(const char* certificate, const char* key) {
    must(psa_crypto_init(), "psa_crypto_init");
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_ticket_init(&tickets);
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&secret);
    must(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, nullptr, 0), "seed");
    must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT),
         "config");
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_groups(&config, groups);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    must(mbedtls_ssl_conf_alpn_protocols(&config, alpn), "ALPN");
    must(mbedtls_x509_crt_parse_file(&chain, certificate), certificate);
    must(mbedtls_pk_parse_keyfile(&secret, key, nullptr, mbedtls_ctr_drbg_random, &random), key);
    must(mbedtls_ssl_conf_own_cert(&config, &chain, &secret), "own certificate");
    must(mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &random, MBEDTLS_CIPHER_AES_256_GCM,
                                  86'400),
         "tickets");
    mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &tickets);
  }

  static constexpr std::uint16_t groups[] = {
      MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
      MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
  const char* alpn[2] = {"http/1.1", nullptr};
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_ssl_config config;
  mbedtls_ssl_ticket_context tickets;
  mbedtls_x509_crt chain;
  mbedtls_pk_context secret;
};

class Session {
 public:
  explicit Session(Context& context) {
    mbedtls_ssl_init(&ssl_);
    must(mbedtls_ssl_setup(&ssl_, &context.config), "ssl_setup");
    mbedtls_ssl_set_bio(&ssl_, this, &put, &take, nullptr);
  }
  Session(const Session&) = delete;
  ~Session() { mbedtls_ssl_free(&ssl_); }

  int handshake() {
    const int outcome = mbedtls_ssl_handshake(&ssl_);
    return outcome == 0                           ? 1
           : outcome == MBEDTLS_ERR_SSL_WANT_READ ? bench::session_waits
                                                  : bench::session_ended;
  }
  int read(char* room, std::size_t size) {
    const int count = mbedtls_ssl_read(&ssl_, reinterpret_cast<unsigned char*>(room), size);
    if (count > 0) return count;
    return count == MBEDTLS_ERR_SSL_WANT_READ ? bench::session_waits : bench::session_ended;
  }
  int write(const char* bytes, std::size_t size) {
    return mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(bytes), size);
  }

  std::string incoming, outgoing;

 private:
  static int put(void* self, const unsigned char* bytes, std::size_t size) {
    static_cast<Session*>(self)->outgoing.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }
  static int take(void* self, unsigned char* room, std::size_t size) {
    auto& session = *static_cast<Session*>(self);
    const std::size_t count = std::min(size, session.incoming.size() - session.taken_);
    if (count == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    std::memcpy(room, session.incoming.data() + session.taken_, count);
    session.taken_ += count;
    if (session.taken_ == session.incoming.size()) {
      session.incoming.clear();
      session.taken_ = 0;
    }
    return static_cast<int>(count);
  }

  mbedtls_ssl_context ssl_;
  std::size_t taken_ = 0;
};

}  // namespace

int main(int argc, char** argv) { return bench::serve_tls<Context, Session>(argc, argv); }
