#include "support/tls_streams.h"

#include <fstream>
#include <iterator>
#include <memory>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/read_and_write.h"

namespace escapement::test {

std::string certificate_file(const std::string& name) {
  return std::string(ESC_TEST_CERTIFICATES) + '/' + name;
}

std::string pem(const std::string& name) {
  std::ifstream file(certificate_file(name));
  REQUIRE(file);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TlsIdentity identity(const std::string& name) {
  return TlsIdentity(pem(name + ".pem"), pem((name == "chain" ? "leaf" : name) + ".key"));
}

TlsClientOptions trusting_ca() {
  TlsClientOptions options;
  options.trusted_pem = pem("ca.pem");
  return options;
}

TlsClient make_client(TlsClientOptions options) {
  Result<TlsClient> client = TlsClient::make(std::move(options));
  INFO((client ? std::string() : to_string(client.error())));
  REQUIRE(client);
  return *std::move(client);
}

TlsServer make_server(TlsServerOptions options) {
  Result<TlsServer> server = TlsServer::make(std::move(options));
  INFO((server ? std::string() : to_string(server.error())));
  REQUIRE(server);
  return *std::move(server);
}

Task<StreamPair> encrypt_both(TlsClient client, TlsServer server, StreamPair plain) {
  using Both = std::tuple<std::unique_ptr<TlsStream>, std::unique_ptr<TlsStream>>;
  Both both =
      co_await all(client.connect(std::move(plain.first), "a.test"), server.accept(std::move(plain.second)));
  co_return StreamPair(std::move(std::get<0>(both)), std::move(std::get<1>(both)));
}

namespace {

class TlsWorld final : public StreamWorld {
 public:
  TlsWorld(std::unique_ptr<StreamWorld> under, TlsVersion version)
      : under_(std::move(under)), client_(make_client(client(version))), server_(make_server(serving("a"))) {}
  Reactor& reactor() override { return under_->reactor(); }
  Task<StreamPair> open() override {
    StreamPair plain = co_await under_->open();
    co_return co_await encrypt_both(client_, server_, std::move(plain));
  }

 private:
  static TlsClientOptions client(TlsVersion version) {
    TlsClientOptions options = trusting_ca();
    options.newest = version;
    return options;
  }

  std::unique_ptr<StreamWorld> under_;
  TlsClient client_;
  TlsServer server_;
};

}  // namespace

StreamKind tls_over(const StreamKind& kind, TlsVersion version) {
  return {(version == TlsVersion::tls12 ? "TLS 1.2 over " : "TLS 1.3 over ") + kind.name,
          [kind, version] { return std::make_unique<TlsWorld>(kind.make(), version); }};
}

std::string outcome_text(const Result<>& outcome) { return outcome ? "" : to_string(outcome.error()); }

Task<Outcome> shake_hands(TlsClient client, TlsServer server, std::string host) {
  PipeEnds plain = pipe();
  Scope scope(co_await this_reactor);
  JoinHandle<std::unique_ptr<TlsStream>> accepting =
      scope.spawn_joinable(server.accept(std::move(plain.second)));
  Result<std::unique_ptr<TlsStream>> connected =
      co_await client.connect(std::move(plain.first), host).result();
  Result<std::unique_ptr<TlsStream>> accepted = co_await std::move(accepting).join().result();
  Result<TlsInfo> at_client = Error(Errc::internal);
  Result<TlsInfo> at_server = Error(Errc::internal);
  if (connected && accepted) {
    // A byte each way, so that tickets and late refusals arrive.
    co_await (*accepted)->write(as_bytes("x"));
    std::string got = co_await read_exactly(**connected, 1);
  }
  if (connected) at_client = (*connected)->info();
  if (!connected) at_client = connected.error();
  if (accepted) at_server = (*accepted)->info();
  if (!accepted) at_server = accepted.error();
  co_return Outcome(std::move(at_client), std::move(at_server));
}

}  // namespace escapement::test
