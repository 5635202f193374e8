// The connections of esc-fetch: names, TLS and proxies, from the command line.

#pragma once

#include <memory>

#include <escapement/io/http/client.h>
#include <escapement/io/http/proxy.h>
#include <escapement/io/native/resolve.h>

#include "tools/fetch/options.h"

namespace escapement {

// Returns how names are looked up. Errc::invalid_argument: --resolve is malformed.
Result<ResolverOptions> resolver_of(const FetchOptions& options);

// Returns null in a build without TLS, where https URLs then fail. Sets `code` for a failure.
Result<http::Encrypt> encrypt_of(const FetchOptions& options, int& code);

// Returns null where everything goes straight. Sets `socks` if a proxy is one of SOCKS5.
Result<std::shared_ptr<const http::ClientRoute>> route_of(const FetchOptions& options, bool& socks);

}  // namespace escapement
