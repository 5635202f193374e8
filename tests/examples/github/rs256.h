// RS256 by mbedTLS: natively.

#pragma once

#include <string>

#include <escapement/core/error.h>

#include "github/app_token.h"

namespace escapement::github {

// Returns what signs with an RSA key in PEM, as GitHub gives it for an App. Errc::invalid_argument: it is
// none.
Result<Sign> rs256(const std::string& pem);

}  // namespace escapement::github
