#include <escapement/io/tls/detail/pinned_keys.h>

#include <algorithm>
#include <string_view>

#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>

namespace escapement::detail {

Result<> PinnedKeys::add(const std::string& pin) {
  constexpr std::string_view prefix = "sha256//";
  Hash hash{};
  std::size_t size = 0;
  const std::string_view text = std::string_view(pin).substr(pin.starts_with(prefix) ? prefix.size() : 0);
  const int decoded = mbedtls_base64_decode(hash.data(), hash.size(), &size,
                                            reinterpret_cast<const unsigned char*>(text.data()), text.size());
  if (!pin.starts_with(prefix) || decoded != 0 || size != hash.size()) {
    return Error(Errc::invalid_argument, "\"" + pin + "\" is no pin: give sha256// and a SHA-256 in base64");
  }
  hashes_.push_back(hash);
  return {};
}

bool PinnedKeys::accept(const mbedtls_x509_crt& certificate) const {
  if (hashes_.empty()) return true;
  Hash hash{};
  if (mbedtls_sha256(certificate.pk_raw.p, certificate.pk_raw.len, hash.data(), 0) != 0) return false;
  return std::find(hashes_.begin(), hashes_.end(), hash) != hashes_.end();
}

}  // namespace escapement::detail
