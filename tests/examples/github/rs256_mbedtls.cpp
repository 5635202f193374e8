#include "github/rs256.h"

#include <memory>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>

namespace escapement::github {

namespace {

class Key {
 public:
  Key() {
    mbedtls_pk_init(&key_);
    mbedtls_entropy_init(&entropy_);
    mbedtls_ctr_drbg_init(&random_);
  }
  Key(const Key&) = delete;
  ~Key() {
    mbedtls_pk_free(&key_);
    mbedtls_ctr_drbg_free(&random_);
    mbedtls_entropy_free(&entropy_);
  }

  Result<> read(const std::string& pem) {
    const auto* const text = reinterpret_cast<const unsigned char*>(pem.c_str());
    const bool good = mbedtls_ctr_drbg_seed(&random_, mbedtls_entropy_func, &entropy_, nullptr, 0) == 0 &&
                      mbedtls_pk_parse_key(&key_, text, pem.size() + 1, nullptr, 0, mbedtls_ctr_drbg_random,
                                           &random_) == 0 &&
                      mbedtls_pk_can_do(&key_, MBEDTLS_PK_RSA) == 1;
    if (good) return {};
    return Error(Errc::invalid_argument, "the key of the App is not an RSA key in PEM");
  }

  Result<std::string> sign(const std::string& bytes) {
    unsigned char hash[32];
    unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    std::size_t size = 0;
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    if (mbedtls_sha256(data, bytes.size(), hash, 0) != 0 ||
        mbedtls_pk_sign(&key_, MBEDTLS_MD_SHA256, hash, sizeof hash, signature, sizeof signature, &size,
                        mbedtls_ctr_drbg_random, &random_) != 0) {
      return Error(Errc::internal, "the key of the App does not sign");
    }
    return std::string(reinterpret_cast<const char*>(signature), size);
  }

 private:
  mbedtls_pk_context key_;
  mbedtls_entropy_context entropy_;
  mbedtls_ctr_drbg_context random_;
};

Task<std::string> signed_by(std::shared_ptr<Key> key, std::string bytes) { co_return key->sign(bytes); }

}  // namespace

Result<Sign> rs256(const std::string& pem) {
  auto key = std::make_shared<Key>();
  Result<> read = key->read(pem);
  if (!read) return std::move(read).error();
  return Sign([key](std::string bytes) { return signed_by(key, std::move(bytes)); });
}

}  // namespace escapement::github
