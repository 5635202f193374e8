// PinnedKeys: the public keys that a server may have. Private: not installed.

#pragma once

#include <array>
#include <string>
#include <vector>

#include <escapement/core/error.h>

struct mbedtls_x509_crt;

namespace escapement::detail {

class PinnedKeys {
 public:
  // Adds a pin, "sha256//" and 32 bytes in base64. Fails with invalid_argument.
  Result<> add(const std::string& pin);
  // Returns whether the certificate's key is one of them; true if there are none.
  bool accept(const mbedtls_x509_crt& certificate) const;

 private:
  using Hash = std::array<unsigned char, 32>;
  std::vector<Hash> hashes_;
};

}  // namespace escapement::detail
