// The Stream over a TlsEngine, which moves the engine's bytes. Internal; tls.h is for users.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/tls/tls.h>

namespace escapement::detail {

class TlsContext;

// Makes a TLS stream over a connected one, before its handshake. `host` is empty for a server.
std::unique_ptr<TlsStream> make_tls_stream(std::shared_ptr<TlsContext> context, std::unique_ptr<Stream> inner,
                                           std::string host);

}  // namespace escapement::detail
