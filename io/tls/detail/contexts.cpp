// The part of the configuration that clients and servers have in common.

#include <psa/crypto.h>

#include <escapement/io/tls/detail/mbedtls.h>

namespace escapement {

namespace detail {

namespace {

// P-256 comes first: mbedTLS computes it a fifth faster than X25519.
constexpr std::uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

mbedtls_ssl_protocol_version as_mbedtls(TlsVersion version) {
  return version == TlsVersion::tls12 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
}

}  // namespace

Result<> TlsContext::begin(int endpoint, TlsVersion oldest, TlsVersion newest, std::vector<std::string> alpn,
                           Duration handshake_timeout) {
  if (oldest > newest) return Error(Errc::invalid_argument, "TLS: the oldest version is above the newest");
  handshake_timeout_ = handshake_timeout;
  // Does nothing after the first time. Its state belongs to the crypto library and lasts as long as the
  // process.
  if (psa_crypto_init() != PSA_SUCCESS)
    return Error(Errc::internal, "TLS: the crypto library failed to start");
  constexpr std::string_view name = "escapement";
  const int seeded = mbedtls_ctr_drbg_seed(random_.get(), mbedtls_entropy_func, entropy_.get(),
                                           reinterpret_cast<const unsigned char*>(name.data()), name.size());
  if (seeded != 0) return Error(Errc::internal, "TLS: no randomness: " + mbedtls_text(seeded));
  const int made = mbedtls_ssl_config_defaults(config_.get(), endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                               MBEDTLS_SSL_PRESET_DEFAULT);
  if (made != 0) return Error(Errc::overloaded, "TLS: " + mbedtls_text(made));
  mbedtls_ssl_conf_rng(config_.get(), mbedtls_ctr_drbg_random, random_.get());
  mbedtls_ssl_conf_groups(config_.get(), groups);
  mbedtls_ssl_conf_min_tls_version(config_.get(), as_mbedtls(oldest));
  mbedtls_ssl_conf_max_tls_version(config_.get(), as_mbedtls(newest));
  alpn_ = std::move(alpn);
  if (alpn_.empty()) return {};
  for (const std::string& protocol : alpn_) alpn_pointers_.push_back(protocol.c_str());
  alpn_pointers_.push_back(nullptr);
  const int set = mbedtls_ssl_conf_alpn_protocols(config_.get(), alpn_pointers_.data());
  if (set != 0) return Error(Errc::invalid_argument, "TLS: an ALPN name must have 1 to 255 bytes");
  return {};
}

Result<std::unique_ptr<TlsOwnCertificate>> TlsContext::parse_identity(const TlsIdentity& identity) {
  auto own = std::make_unique<TlsOwnCertificate>();
  Result<> parsed =
      add_certificates(own->chain.get(), identity.certificates, false, identity.certificates_from);
  if (!parsed) return std::move(parsed).error();
  const int outcome =
      mbedtls_pk_parse_key(own->key.get(), reinterpret_cast<const unsigned char*>(identity.key.c_str()),
                           identity.key.size() + 1, nullptr, 0, mbedtls_ctr_drbg_random, random_.get());
  if (outcome != 0)
    return Error(Errc::invalid_argument, identity.key_from + ": no private key: " + mbedtls_text(outcome));
  if (mbedtls_pk_check_pair(&own->chain->pk, own->key.get(), mbedtls_ctr_drbg_random, random_.get()) != 0) {
    return Error(Errc::invalid_argument,
                 identity.key_from + " is not the key of " + identity.certificates_from);
  }
  own->names = names_of(*own->chain.get());
  return own;
}

}  // namespace detail

Result<TlsIdentity> TlsIdentity::read(const std::string& certificates_file, const std::string& key_file) {
  Result<std::string> certificates = detail::read_whole_file(certificates_file);
  if (!certificates) return std::move(certificates).error();
  Result<std::string> key = detail::read_whole_file(key_file);
  if (!key) return std::move(key).error();
  TlsIdentity identity(*std::move(certificates), *std::move(key));
  identity.certificates_from = certificates_file;
  identity.key_from = key_file;
  return identity;
}

}  // namespace escapement
