// RS256, by which a GitHub App signs: by mbedTLS natively (rs256_mbedtls.cpp), and in a JavaScript host by
// its WebCrypto (rs256_web_crypto.cpp and rs256.mjs). A Worker has no use for an RSA of its own: the host's
// is faster, and is there already.

#pragma once

#include <string>

#include <escapement/core/error.h>

#include "github/app_token.h"

namespace escapement::github {

// Returns what signs with an RSA key in PEM, as GitHub gives it for an App (PKCS #1) or as OpenSSL converts
// it (PKCS #8). Errc::invalid_argument: it is none; in a JavaScript host a damaged one is found out by the
// first signature, which fails with that.
Result<Sign> rs256(const std::string& pem);

}  // namespace escapement::github
