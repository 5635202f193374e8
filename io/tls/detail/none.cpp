// Replaces TLS in a build without it: everything fails and says so.

#include <escapement/core/detail/check.h>
#include <escapement/io/tls/tls.h>

namespace escapement {

namespace {

Error not_built_in() {
  return Error(Errc::unsupported, "TLS is not built in (CMake: ESC_TLS)").nothing_sent();
}

}  // namespace

// Never made.
struct TlsClient::State {};
struct TlsServer::State {
  TlsServerStatistics statistics;
};

Result<TlsIdentity> TlsIdentity::read(const std::string&, const std::string&) { return not_built_in(); }

Result<TlsClient> TlsClient::make(TlsClientOptions) { return not_built_in(); }

Task<std::unique_ptr<TlsStream>> TlsClient::connect(std::unique_ptr<Stream>, std::string) const {
  co_return not_built_in();
}

Task<std::unique_ptr<Stream>> TlsClient::operator()(std::unique_ptr<Stream>, std::string) const {
  co_return not_built_in();
}

std::string embedded_roots() { return {}; }

Result<TlsServer> TlsServer::make(TlsServerOptions) { return not_built_in(); }

Result<> TlsServer::reload(TlsServerOptions) { return not_built_in(); }

Task<std::unique_ptr<TlsStream>> TlsServer::accept(std::unique_ptr<Stream>) const {
  co_return not_built_in();
}

std::unique_ptr<Listener> TlsServer::wrap(std::unique_ptr<Listener> listener) const { return listener; }

const TlsServerStatistics& TlsServer::statistics() const { return state_->statistics; }

}  // namespace escapement
