// TLS beyond the Stream contract: verification of the peer, and negotiation.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>

#include "support/read_and_write.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr TlsVersion versions[] = {TlsVersion::tls12, TlsVersion::tls13};

Outcome shaken(const TlsClient& client, const TlsServer& server, std::string host) {
  Sim sim;
  Result<Outcome> outcome = sim.run(shake_hands(client, server, std::move(host)));
  REQUIRE(outcome);
  return *std::move(outcome);
}

TlsInfo agreed(const TlsClient& client, const TlsServer& server, std::string host) {
  Outcome outcome = shaken(client, server, std::move(host));
  INFO((outcome.client ? std::string() : to_string(outcome.client.error())));
  REQUIRE(outcome.client);
  REQUIRE(outcome.server);
  return *outcome.client;
}

std::string refusal(const TlsServerOptions& options, std::string host, TlsClientOptions client) {
  Outcome outcome = shaken(make_client(std::move(client)), make_server(options), std::move(host));
  REQUIRE(!outcome.client);
  CHECK(!outcome.client.error().maybe_sent());
  return to_string(outcome.client.error());
}

std::string refusal(const std::string& name, std::string host) {
  return refusal(serving(name), std::move(host), trusting_ca());
}

}  // namespace

// --- Verification of the server

TEST_CASE("TLS: a certificate is believed for its names and addresses, and through an intermediate") {
  const TlsClient client = make_client(trusting_ca());
  for (const char* host : {"a.test", "A.Test", "a.test.", "localhost", "127.0.0.1", "::1", "[::1]"}) {
    INFO(host);
    CHECK(agreed(client, make_server(serving("a")), host).cipher != "");
  }
  CHECK(agreed(client, make_server(serving("wild")), "any.wild.test").peer_subject == "CN=wild.test");
  CHECK(agreed(client, make_server(serving("chain")), "a.test").peer_subject == "CN=a.test");
}

TEST_CASE("TLS: each reason not to believe a certificate has its own sentence") {
  CHECK(refusal("a", "b.test") ==
        "untrusted: the certificate of b.test is for other names: a.test, localhost, 127.0.0.1, ::1");
  CHECK(refusal("a", "127.0.0.2") ==
        "untrusted: the certificate of 127.0.0.2 is for other names: a.test, localhost, 127.0.0.1, ::1");
  CHECK(refusal("wild", "wild.test") ==
        "untrusted: the certificate of wild.test is for other names: *.wild.test");
  CHECK(refusal("wild", "a.b.wild.test") ==
        "untrusted: the certificate of a.b.wild.test is for other names: *.wild.test");
  CHECK_THAT(refusal("expired", "a.test"),
             ContainsSubstring("untrusted: the certificate of a.test expired on 20"));
  CHECK(
      refusal("foreign", "a.test") ==
      "untrusted: the certificate of a.test comes from an issuer that is not trusted: CN=another test root");
  CHECK(refusal("leaf", "a.test") ==
        "untrusted: the certificate of a.test comes from an issuer that is not trusted: "
        "CN=escapement test intermediate");
  CHECK(refusal("self_signed", "a.test") ==
        "untrusted: the certificate of a.test is self-signed and not trusted");
  CHECK(
      refusal("foreign", "b.test") ==
      "untrusted: the certificate of b.test is for other names: a.test, localhost, 127.0.0.1, ::1, and comes "
      "from an issuer that is not trusted: CN=another test root");
}

TEST_CASE("TLS: what is dangerous is possible when it is asked for by name") {
  TlsClientOptions careless;
  careless.dangerously_accept_any_certificate = true;
  CHECK(agreed(make_client(careless), make_server(serving("expired")), "b.test").cipher != "");
}

TEST_CASE("TLS: the system's certificates are those of SSL_CERT_FILE, read when they are first needed") {
  REQUIRE(setenv("SSL_CERT_FILE", certificate_file("ca.pem").c_str(), 1) == 0);
  CHECK(agreed(make_client({}), make_server(serving("a")), "a.test").cipher != "");
  REQUIRE(setenv("SSL_CERT_FILE", "/nonexistent/roots.pem", 1) == 0);
  CHECK(refusal(serving("a"), "a.test", {}) ==
        "invalid_argument: cannot read /nonexistent/roots.pem: No such file or directory");
  REQUIRE(unsetenv("SSL_CERT_FILE") == 0);
}

TEST_CASE("TLS: bad files and keys are refused when the configuration is made") {
  const auto client_error = [](TlsClientOptions options) {
    return to_string(TlsClient::make(options).error());
  };
  const auto server_error = [](TlsServerOptions options) {
    return to_string(TlsServer::make(options).error());
  };
  CHECK(client_error({.trusted_file = "/nonexistent"}) ==
        "invalid_argument: cannot read /nonexistent: No such file or directory");
  CHECK_THAT(client_error({.trusted_pem = "nonsense"}),
             ContainsSubstring("invalid_argument: certificates to trust: no certificate: X509"));
  CHECK(server_error({}) == "invalid_argument: TLS: a server needs a certificate");
  CHECK(server_error({.identities = {TlsIdentity(pem("a.pem"), pem("wild.key"))}}) ==
        "invalid_argument: key is not the key of certificate");
  CHECK_THAT(server_error({.identities = {TlsIdentity(pem("a.pem"), "no key")}}),
             ContainsSubstring("invalid_argument: key: no private key: "));
  CHECK_THAT(to_string(TlsIdentity::read("/nonexistent", "/nonexistent").error()),
             ContainsSubstring("cannot read /nonexistent"));
}

// --- Negotiation

TEST_CASE("TLS: the newest common version is spoken, and none is an error on both sides") {
  TlsServerOptions only12 = serving("a");
  only12.newest = TlsVersion::tls12;
  TlsServerOptions only13 = serving("a");
  only13.oldest = TlsVersion::tls13;
  TlsClientOptions old_client = trusting_ca();
  old_client.newest = TlsVersion::tls12;
  CHECK(agreed(make_client(trusting_ca()), make_server(serving("a")), "a.test").version == TlsVersion::tls13);
  CHECK(agreed(make_client(trusting_ca()), make_server(only12), "a.test").version == TlsVersion::tls12);
  CHECK(agreed(make_client(old_client), make_server(serving("a")), "a.test").version == TlsVersion::tls12);
  CHECK(refusal(only13, "a.test", old_client) ==
        "bad_message: TLS handshake with a.test: it speaks no TLS version that we accept");
}

TEST_CASE("TLS: ALPN agrees on a common protocol, or the handshake fails") {
  TlsClientOptions with_h2 = trusting_ca();
  with_h2.alpn = {"h2", "http/1.1"};
  TlsClientOptions only_h2 = trusting_ca();
  only_h2.alpn = {"h2"};
  TlsClientOptions old = trusting_ca();  // curl -0
  old.alpn = {"http/1.0"};
  TlsClientOptions none = trusting_ca();
  none.alpn = {};
  for (const TlsVersion version : versions) {
    TlsServerOptions options = serving("a");
    options.newest = version;
    const TlsServer server = make_server(options);
    CHECK(agreed(make_client(with_h2), server, "a.test").alpn == "http/1.1");
    CHECK(agreed(make_client(old), server, "a.test").alpn == "http/1.0");
    CHECK(agreed(make_client(none), server, "a.test").alpn == "");
    CHECK_THAT(refusal(options, "a.test", only_h2),
               ContainsSubstring("bad_message: TLS handshake with a.test: "));
  }
}

TEST_CASE("TLS: both ends of a stream carry the protocol that ALPN agreed on, also where it resumes") {
  struct Agreed {
    std::string client;
    std::string server;
  };
  const auto agree = [](TlsClient client, TlsServer server) -> Task<Agreed> {
    PipeEnds plain = pipe();
    CHECK(plain.first->agreed_protocol() == "");  // not encrypted
    auto ends = StreamPair(std::move(plain.first), std::move(plain.second));
    StreamPair pair = co_await encrypt_both(std::move(client), std::move(server), std::move(ends));
    co_await pair.second->write(as_bytes("x"));
    std::string got = co_await read_exactly(*pair.first, 1);  // and the tickets of TLS 1.3 before it
    Agreed agreed;
    agreed.client = pair.first->agreed_protocol();
    agreed.server = pair.second->agreed_protocol();
    co_return std::move(agreed);
  };
  using Names = std::vector<std::string>;
  struct Offer {
    Names client;
    Names server;
    std::string agreed;
  };
  const Offer offers[] = {
      {{"h2", "http/1.1"}, {"h2", "http/1.1"}, "h2"},
      {{"h2", "http/1.1"}, {"http/1.1"}, "http/1.1"},
      {{"http/1.1", "h2"}, {"h2", "http/1.1"}, "h2"},  // the server chooses
      {{}, {"h2"}, ""},
      {{"h2"}, {}, ""},
  };
  for (const TlsVersion version : versions) {
    for (const Offer& offer : offers) {
      TlsClientOptions client_options = trusting_ca();
      client_options.newest = version;
      client_options.alpn = offer.client;
      TlsServerOptions server_options = serving("a");
      server_options.alpn = offer.server;
      const TlsClient client = make_client(client_options);
      const TlsServer server = make_server(server_options);
      for (const bool resumes : {false, true}) {
        INFO(static_cast<int>(version) << ' ' << offer.agreed << ' ' << resumes);
        Sim sim;
        const Result<Agreed> agreed = sim.run(agree(client, server));
        REQUIRE(agreed);
        CHECK(agreed->client == offer.agreed);
        CHECK(agreed->server == offer.agreed);
        CHECK(server.statistics().resumed == (resumes ? 1 : 0));
      }
    }
  }
}

TEST_CASE("TLS: a stream that has not shaken hands yet has agreed on no protocol") {
  class One final : public Listener {
   public:
    explicit One(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
    Task<std::unique_ptr<Stream>> accept() override { co_return std::move(stream_); }
    std::uint16_t port() const override { return 443; }
    std::string address() const override { return "one:443"; }

   private:
    std::unique_ptr<Stream> stream_;
  };
  const auto run = [](TlsClient client, TlsServer server) -> Task<> {
    PipeEnds plain = pipe();
    std::unique_ptr<Listener> listener = server.wrap(std::make_unique<One>(std::move(plain.second)));
    std::unique_ptr<Stream> at_server = co_await listener->accept();
    CHECK(at_server->agreed_protocol() == "");
    Scope scope(co_await this_reactor);
    JoinHandle<std::unique_ptr<TlsStream>> connecting =
        scope.spawn_joinable(client.connect(std::move(plain.first), "a.test"));
    std::byte none_yet{};
    Task<std::size_t> reading = at_server->read(MutableBytes(&none_yet, 1));
    JoinHandle<std::size_t> handshake = scope.spawn_joinable(std::move(reading));
    std::unique_ptr<TlsStream> at_client = co_await std::move(connecting).join();
    co_await at_client->write(as_bytes("x"));
    std::size_t count = co_await std::move(handshake).join();
    CHECK(count == 1);
    CHECK(at_client->agreed_protocol() == "http/1.1");
    CHECK(at_server->agreed_protocol() == "http/1.1");
  };
  for (const TlsVersion version : versions) {
    TlsClientOptions options = trusting_ca();
    options.newest = version;
    Sim sim;
    CHECK(outcome_text(sim.run(run(make_client(options), make_server(serving("a"))))) == "");
  }
}

TEST_CASE("TLS: the server's certificate is chosen by name: exact, wildcard, else the first") {
  const TlsServer server = make_server(serving("a", "wild", "b"));
  for (const TlsVersion version : versions) {
    TlsClientOptions options = trusting_ca();
    options.newest = version;
    options.tickets_max = 0;
    const TlsClient client = make_client(options);
    CHECK(agreed(client, server, "a.test").peer_subject == "CN=a.test");
    CHECK(agreed(client, server, "b.test").peer_subject == "CN=b.test");
    CHECK(agreed(client, server, "B.TEST").peer_subject == "CN=b.test");
    CHECK(agreed(client, server, "some.wild.test").peer_subject == "CN=wild.test");
    CHECK(agreed(client, server, "exact.wild.test").peer_subject == "CN=b.test");
    CHECK(agreed(client, server, "127.0.0.1").peer_subject == "CN=a.test");
    options.dangerously_accept_any_certificate = true;
    CHECK(agreed(make_client(options), server, "unknown.test").peer_subject == "CN=a.test");
  }
  // An address is no server name.
  CHECK(shaken(make_client(trusting_ca()), server, "127.0.0.1").server->server_name == "");
  CHECK(shaken(make_client(trusting_ca()), server, "b.test").server->server_name == "b.test");
}

TEST_CASE("TLS: a second connection resumes, and both sides know") {
  for (const TlsVersion version : versions) {
    INFO(static_cast<int>(version));
    TlsClientOptions options = trusting_ca();
    options.newest = version;
    const TlsClient client = make_client(options);
    const TlsServer server = make_server(serving("a"));
    for (int i = 0; i < 4; ++i) {
      const Outcome outcome = shaken(client, server, "a.test");
      REQUIRE((outcome.client && outcome.server));
      CHECK(outcome.client->resumed == (i > 0));
      CHECK(outcome.server->resumed == (i > 0));
    }
    CHECK(server.statistics().handshakes == 4);
    CHECK(server.statistics().resumed == 3);
    // Another host of the same server has no ticket; another client neither; without tickets nobody resumes.
    CHECK(!agreed(client, server, "localhost").resumed);
    CHECK(!agreed(make_client(options), server, "a.test").resumed);
    TlsServerOptions without = serving("a");
    without.ticket_lifetime = Duration();
    const TlsServer forgetful = make_server(without);
    CHECK(!agreed(client, forgetful, "a.test").resumed);
    CHECK(!agreed(client, forgetful, "a.test").resumed);
  }
}

TEST_CASE("TLS: of the tickets of many hosts the latest are kept") {
  TlsClientOptions options = trusting_ca();
  options.tickets_max = 2;
  const TlsClient client = make_client(options);
  const TlsServer server = make_server(serving("a"));
  for (const char* host : {"a.test", "localhost", "127.0.0.1"}) CHECK(!agreed(client, server, host).resumed);
  CHECK(agreed(client, server, "localhost").resumed);
  CHECK(agreed(client, server, "127.0.0.1").resumed);
  CHECK(!agreed(client, server, "a.test").resumed);
}

// --- Clients that show who they are

namespace {

// Returns what a client sees: the handshake's failure, or that of the first read after it (TLS 1.3 refuses
// late).
std::string client_view(const TlsClientOptions& client, const TlsServer& server) {
  Sim sim;
  auto talk = [](TlsClient client, TlsServer server) -> Task<std::string> {
    PipeEnds plain = pipe();
    Scope scope(co_await this_reactor);
    JoinHandle<std::unique_ptr<TlsStream>> accepting =
        scope.spawn_joinable(server.accept(std::move(plain.second)));
    std::unique_ptr<TlsStream> stream = co_await client.connect(std::move(plain.first), "a.test");
    Result<std::unique_ptr<TlsStream>> accepted = co_await std::move(accepting).join().result();
    if (!accepted) {
      std::string nothing = co_await read_all(*stream);
      co_return nothing;
    }
    const std::string subject = (*accepted)->info().peer_subject;
    co_await (*accepted)->write(as_bytes("welcome " + subject));
    accepted->reset();
    co_return co_await read_all(*stream);
  };
  Result<std::string> seen = sim.run(talk(make_client(client), server));
  return seen ? *seen : to_string(seen.error());
}

TlsServerOptions asking_clients(bool required) {
  TlsServerOptions options = serving("a");
  options.clients_trusted_pem = pem("ca.pem");
  options.client_certificate_required = required;
  return options;
}

}  // namespace

TEST_CASE("TLS: clients prove who they are where a server asks") {
  for (const TlsVersion version : versions) {
    INFO(static_cast<int>(version));
    std::string told;
    TlsServerOptions required = asking_clients(true);
    required.on_failure = [&](const Error& error) { told = to_string(error); };
    TlsServerOptions optional = asking_clients(false);
    optional.on_failure = required.on_failure;
    TlsClientOptions nobody = trusting_ca();
    nobody.newest = version;
    TlsClientOptions alice = nobody;
    alice.identity = identity("alice");
    TlsClientOptions mallory = nobody;
    mallory.identity = identity("mallory");

    CHECK(client_view(alice, make_server(required)) == "welcome CN=alice");
    CHECK(client_view(alice, make_server(optional)) == "welcome CN=alice");
    CHECK(client_view(nobody, make_server(optional)) == "welcome ");
    CHECK(told == "");
    CHECK_THAT(client_view(nobody, make_server(required)), !ContainsSubstring("welcome"));
    CHECK(told == "untrusted: TLS handshake with pipe: it sent no certificate, which is required");
    const std::string issuer =
        "untrusted: the certificate of pipe comes from an issuer that is not trusted: CN=another test root";
    const TlsServer strict = make_server(required);
    CHECK_THAT(client_view(mallory, strict), !ContainsSubstring("welcome"));
    CHECK(told == issuer);
    CHECK(strict.statistics().failed == 1);
    told = "";
    CHECK_THAT(client_view(mallory, make_server(optional)), !ContainsSubstring("welcome"));
    CHECK(told == issuer);
    // A server's certificate is none for a client.
    TlsClientOptions server_as_client = nobody;
    server_as_client.identity = identity("a");
    CHECK_THAT(client_view(server_as_client, make_server(optional)), !ContainsSubstring("welcome"));
    CHECK(told == "untrusted: the certificate of pipe is not meant for this use");
  }
}

// --- Reload

TEST_CASE("TLS: a reload counts for new connections, and open ones do not notice") {
  Sim sim;
  auto run = []() -> Task<> {
    TlsClient client = make_client(trusting_ca());
    TlsServer server = make_server(serving("a"));
    PipeEnds plain = pipe();
    StreamPair old =
        co_await encrypt_both(client, server, StreamPair(std::move(plain.first), std::move(plain.second)));
    Result<> bad = server.reload(TlsServerOptions());
    CHECK(!bad);
    Result<> good = server.reload(serving("chain", "b"));
    CHECK(good);
    Outcome fresh = co_await shake_hands(client, server, "b.test");
    CHECK((fresh.client && fresh.client->peer_subject == "CN=b.test"));
    // A ticket of the old configuration is worth nothing.
    Outcome again = co_await shake_hands(client, server, "a.test");
    CHECK((again.client && !again.client->resumed));
    co_await old.first->write(as_bytes("still here"));
    std::string got = co_await read_exactly(*old.second, 10);
    CHECK(got == "still here");
    CHECK(server.statistics().handshakes == 3);
  };
  CHECK(outcome_text(sim.run(run())) == "");
}

namespace {

class CountsWrites final : public Stream {
 public:
  CountsWrites(std::unique_ptr<Stream> inner, int& count) : inner_(std::move(inner)), count_(count) {}
  Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
  Task<> write_task(Bytes bytes) override {
    ++count_;
    return inner_->write_task(bytes);
  }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return inner_->readable_or_closed(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
  int& count_;
};

}  // namespace

TEST_CASE("TLS: each flight of a handshake is one write") {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    Sim sim;
    int by_client = 0;
    int by_server = 0;
    auto run = [](TlsVersion version, int& by_client, int& by_server) -> Task<> {
      TlsClientOptions options = trusting_ca();
      options.newest = version;
      TlsClient client = make_client(options);
      TlsServer server = make_server(serving("a"));
      PipeEnds plain = pipe();
      auto first = std::make_unique<CountsWrites>(std::move(plain.first), by_client);
      auto second = std::make_unique<CountsWrites>(std::move(plain.second), by_server);
      StreamPair pair =
          co_await encrypt_both(client, server, StreamPair(std::move(first), std::move(second)));
      co_await pair.second->write(as_bytes("x"));
      std::string got = co_await read_exactly(*pair.first, 1);  // and the tickets of TLS 1.3 before it
    };
    CHECK(outcome_text(sim.run(run(version, by_client, by_server))) == "");
    CHECK(by_client == 3);  // the hello; keys and Finished; close_notify
    CHECK(by_server <= 4);  // its hello and what follows; Finished, or tickets; the byte; close_notify
  }
}
