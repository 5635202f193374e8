// A client's settings: the fault of each bad certificate, pinned keys, the key log, whom it trusts.

#include <catch2/catch_test_macros.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include <escapement/io/sim/sim.h>
#include <escapement/io/tls/detail/key_log.h>

#include "support/scratch_folder.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

TlsClientOptions trusting(const std::string& file) {
  TlsClientOptions options;
  options.trusted_pem = pem(file);
  return options;
}

TlsServer server_of(const std::string& certificates, const std::string& key) {
  TlsServerOptions options;
  options.identities.emplace_back(pem(certificates), pem(key));
  return make_server(std::move(options));
}

// The fault that the client finds, "" if it believes the server.
std::string fault_of(TlsClientOptions client, const TlsServer& server, std::string host) {
  Sim sim;
  Result<Outcome> outcome = sim.run(shake_hands(make_client(std::move(client)), server, std::move(host)));
  REQUIRE(outcome);
  if (outcome->client) return "";
  const Error& error = outcome->client.error();
  CHECK(error == Errc::untrusted);
  return std::string(name(error.fault()));
}

std::string fault_of_chain(const std::string& chain, const std::string& host = "good.example.test") {
  return fault_of(trusting("chains/" + chain + ".roots.pem"),
                  server_of("chains/" + chain + ".chain.pem", "chains/" + chain + ".key"), host);
}

std::string text_of(const std::string& file) {
  std::ifstream opened(file);
  return std::string(std::istreambuf_iterator<char>(opened), {});
}

// The pin of the key of a.pem, as `openssl x509 -pubkey | openssl pkey -pubin -outform der | openssl dgst
// -sha256` says: made with the certificates.
std::string pin_of(const std::string& name) {
  std::string pin = pem(name + ".pin");
  while (!pin.empty() && pin.back() == '\n') pin.pop_back();
  return "sha256//" + pin;
}

}  // namespace

TEST_CASE("TLS: each fault of a certificate is told as data") {
  const std::map<std::string, std::string> faults = {
      {"plain", ""},
      {"dns-holds", ""},
      {"expired-middle", "certificate_expired"},
      {"to-come", "certificate_not_yet_valid"},
      {"self-signed", "certificate_self_signed"},
      {"untrusted", "certificate_untrusted_issuer"},
      {"middle-missing", "certificate_untrusted_issuer"},
      {"usage-middle-client", "certificate_wrong_usage"},
      {"name-common-only", "certificate_no_names"},
      {"name-uri-only", "certificate_no_names"},
      {"name-wildcard-two-labels", "certificate_wrong_name"},
      {"dns-other", "certificate_name_constraints"},
      {"dns-excluded", "certificate_name_constraints"},
      {"weak-key", "certificate_weak"},
      {"weak-hash", "certificate_weak"},
      {"unknown-own", "certificate_invalid"},
  };
  for (const auto& [chain, fault] : faults) {
    INFO(chain);
    CHECK(fault_of_chain(chain) == fault);
  }
  CHECK(fault_of_chain("plain", "other.example.test") == "certificate_wrong_name");
  const TlsServer expired = make_server(serving("expired"));
  CHECK(fault_of(trusting_ca(), expired, "a.test") == "certificate_expired");
  // If there are several faults, the first in the list counts.
  CHECK(fault_of(trusting_ca(), expired, "b.test") == "certificate_expired");
}

TEST_CASE("TLS: a server tells that a client has sent no certificate") {
  TlsServerOptions options = serving("a");
  options.clients_trusted_pem = pem("ca.pem");
  Sim sim;
  Result<Outcome> outcome = sim.run(shake_hands(make_client(trusting_ca()), make_server(options), "a.test"));
  REQUIRE(outcome);
  REQUIRE(!outcome->server);
  CHECK(outcome->server.error().fault() == Fault::certificate_missing);
}

TEST_CASE("TLS: a pinned key is believed, and no other, whatever else is believed") {
  const TlsServer server = make_server(serving("a"));
  TlsClientOptions options = trusting_ca();
  options.pinned_keys = {pin_of("a")};
  CHECK(fault_of(options, server, "a.test") == "");
  options.pinned_keys = {pin_of("b"), pin_of("a")};
  CHECK(fault_of(options, server, "a.test") == "");
  options.pinned_keys = {pin_of("b")};
  CHECK(fault_of(options, server, "a.test") == "certificate_not_pinned");
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    options.oldest = options.newest = version;
    options.dangerously_accept_any_certificate = true;
    CHECK(fault_of(options, server, "a.test") == "certificate_not_pinned");
  }
  // A pin does not replace the rest.
  TlsClientOptions pinned = trusting("other_ca.pem");
  pinned.pinned_keys = {pin_of("a")};
  CHECK(fault_of(pinned, server, "a.test") == "certificate_untrusted_issuer");
}

TEST_CASE("TLS: what is no pin is refused when the client is made") {
  const std::string good = pin_of("a");
  for (const std::string& bad :
       {std::string(), std::string("sha256//"), good.substr(8), good.substr(0, 20), good + "AAAA",
        "sha256//" + std::string(44, '!'), "sha1//" + good.substr(8)}) {
    INFO(bad);
    TlsClientOptions options = trusting_ca();
    options.pinned_keys = {bad};
    Result<TlsClient> made = TlsClient::make(options);
    REQUIRE(!made);
    CHECK(made.error() == Errc::invalid_argument);
  }
}

TEST_CASE("TLS: the key log has the secrets of each connection, for its owner alone") {
  const ScratchFolder folder;
  const std::string file = folder.path() + "/keys";
  const TlsServer server = make_server(serving("a"));
  TlsClientOptions options = trusting_ca();
  options.key_log_file = file;
  options.newest = TlsVersion::tls12;
  CHECK(fault_of(options, server, "a.test") == "");
  std::string text = text_of(file);
  CHECK(text.starts_with("CLIENT_RANDOM "));
  CHECK(text.size() == 14 + 64 + 1 + 96 + 1);
  struct stat found{};
  REQUIRE(::stat(file.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);

  options.newest = TlsVersion::tls13;
  CHECK(fault_of(options, server, "a.test") == "");
  text = text_of(file).substr(text.size());
  for (const char* label : {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
                            "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "}) {
    INFO(label);
    CHECK(text.find(label) != std::string::npos);
  }
  CHECK(detail::key_log_line("L", std::string("\x00\xff", 2), "\x1a") == "L 00ff 1a\n");

  options.key_log_file = "/nonexistent/keys";
  CHECK(TlsClient::make(options).error() == Errc::invalid_argument);
}

TEST_CASE("TLS: SSLKEYLOGFILE counts only for those who ask for it") {
  const ScratchFolder folder;
  const std::string file = folder.path() + "/keys";
  REQUIRE(setenv("SSLKEYLOGFILE", file.c_str(), 1) == 0);
  const TlsServer server = make_server(serving("a"));
  TlsClientOptions options = trusting_ca();
  CHECK(fault_of(options, server, "a.test") == "");
  CHECK(!std::ifstream(file));
  options.key_log_from_environment = true;
  CHECK(fault_of(options, server, "a.test") == "");
  CHECK(!text_of(file).empty());
  REQUIRE(unsetenv("SSLKEYLOGFILE") == 0);
  CHECK(TlsClient::make(options));
}

TEST_CASE("TLS: the system's certificates are those of all files in SSL_CERT_FILE, and beside given ones") {
  const TlsServer server = make_server(serving("foreign"));
  REQUIRE(setenv("SSL_CERT_FILE",
                 (certificate_file("ca.pem") + ':' + certificate_file("other_ca.pem")).c_str(), 1) == 0);
  CHECK(fault_of({}, server, "a.test") == "");
  CHECK(fault_of(trusting_ca(), server, "a.test") == "certificate_untrusted_issuer");
  TlsClientOptions both = trusting_ca();
  both.trust_system_too = true;
  CHECK(fault_of(both, server, "a.test") == "");
  REQUIRE(setenv("SSL_CERT_FILE", (certificate_file("ca.pem") + ":/nonexistent").c_str(), 1) == 0);
  Sim sim;
  Result<Outcome> outcome = sim.run(shake_hands(make_client({}), server, "a.test"));
  REQUIRE(outcome);
  CHECK(outcome->client.error() == Errc::invalid_argument);
  REQUIRE(unsetenv("SSL_CERT_FILE") == 0);
}

TEST_CASE(
    "TLS: of system's certificates that cannot be read as a whole, none is trusted, and the next may be") {
  const TlsServer server = make_server(serving("a"));
  const auto outcome = [&](const TlsClient& client) {
    Sim sim;
    Result<Outcome> shaken = sim.run(shake_hands(client, server, "a.test"));
    REQUIRE(shaken);
    return shaken->client ? std::string("believed") : std::string(name(shaken->client.error().code()));
  };
  const auto trust = [](const std::string& files) {
    REQUIRE(setenv("SSL_CERT_FILE", files.c_str(), 1) == 0);
  };
  for (const bool own : {false, true}) {
    CAPTURE(own);
    TlsClientOptions options = own ? trusting("other_ca.pem") : TlsClientOptions();
    options.trust_system_too = true;
    const TlsClient client = make_client(options);
    const std::string twice = certificate_file("ca.pem") + ':' + certificate_file("ca.pem");
    for (int i = 0; i < 3; ++i) {
      trust(twice + ":/nonexistent");
      CHECK(outcome(client) == "invalid_argument");
    }
    trust(certificate_file("other_ca.pem"));
    CHECK(outcome(client) == "untrusted");
  }

  // A want of descriptors is of the moment.
  const ScratchFolder folder;
  const std::string directory = folder.path();
  REQUIRE(std::ofstream(directory + "/ca.pem") << text_of(certificate_file("ca.pem")));
  for (const bool of_file : {true, false}) {
    CAPTURE(of_file);
    const TlsClient client = make_client({});
    REQUIRE(unsetenv("SSL_CERT_FILE") == 0);
    if (of_file) trust(certificate_file("ca.pem"));
    if (!of_file) REQUIRE(setenv("SSL_CERT_DIR", directory.c_str(), 1) == 0);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 3;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const std::string scarce = outcome(client);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(scarce == "overloaded");
    CHECK(outcome(client) == "believed");
  }
  REQUIRE(unsetenv("SSL_CERT_FILE") == 0);
  REQUIRE(unsetenv("SSL_CERT_DIR") == 0);
}

TEST_CASE("TLS: embedded roots are certificates, if the library was built with any") {
  const std::string roots = embedded_roots();
  if (roots.empty()) return;
  TlsClientOptions options;
  options.trusted_pem = roots;
  CHECK(TlsClient::make(options));
}
