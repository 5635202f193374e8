// Chains of certificates, good and bad: what a client, and a server that asks for certificates, make of each,
// beside OpenSSL's verdict. support/make_chains.sh says what is in them.

#include <catch2/catch_test_macros.hpp>

#include <cstddef>
#include <map>
#include <set>
#include <sstream>

#include <escapement/io/sim/sim.h>

#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

struct Chain {
  std::string name, role, host, openssl;
};

std::vector<Chain> chains() {
  std::vector<Chain> all;
  std::istringstream lines(pem("chains/chains"));
  Chain chain;
  while (lines >> chain.name >> chain.role >> chain.host >> chain.openssl) all.push_back(chain);
  return all;
}

// Refused here, where OpenSSL 3 believes them: names only stand among the alternative names, a star is a
// whole label (RFC 9525), a version 1 certificate cannot say what it is for, a wildcard is outside where one
// of the names it stands for is excluded, no more than 100,000 pairs of a name and a constraint are compared,
// and SHA-1 and RSA keys below 2048 bits are too weak.
const std::set<std::string> stricter = {"name-common-only",   "name-common-beside-address",
                                        "name-uri-only",      "old-own",
                                        "name-wildcard-part", "client-old-own",
                                        "weak-key",           "dns-wildcard-excluded",
                                        "weak-hash",          "comparisons-too-many"};

// Believed here: OpenSSL does not go back to try another issuer, and does not take "any usage" for ours.
const std::set<std::string> gentler = {"cross-signed",    "cross-signed-first", "path-past-constraints",
                                       "path-past-root",  "path-past-unknown",  "path-past-usage",
                                       "usage-middle-any"};

TlsIdentity chain_identity(const std::string& name) {
  return TlsIdentity(pem("chains/" + name + ".chain.pem"), pem("chains/" + name + ".key"));
}

// "" or why the one whose certificate is in question was refused.
std::string verdict(const Chain& chain, TlsVersion version) {
  const std::string roots = pem("chains/" + chain.name + ".roots.pem");
  const bool of_server = chain.role == "server";
  TlsServerOptions server;
  server.newest = version;
  server.identities.push_back(of_server ? chain_identity(chain.name) : identity("a"));
  TlsClientOptions client;
  client.trusted_pem = of_server ? roots : pem("ca.pem");
  if (!of_server) {
    server.clients_trusted_pem = roots;
    client.identity = chain_identity(chain.name);
  }
  Sim sim;
  Result<Outcome> outcome =
      sim.run(shake_hands(make_client(client), make_server(server), of_server ? chain.host : "a.test"));
  REQUIRE(outcome);
  const Result<TlsInfo>& judge = of_server ? outcome->client : outcome->server;
  return judge ? "" : to_string(judge.error());
}

std::string verdict(const std::string& name) {
  for (const Chain& chain : chains())
    if (chain.name == name) return verdict(chain, TlsVersion::tls13);
  return "no such chain";
}

}  // namespace

TEST_CASE("TLS: chains are judged as OpenSSL judges them, more strictly for names, and on every path") {
  REQUIRE(chains().size() > 80);
  for (const Chain& chain : chains()) {
    const bool good =
        gentler.contains(chain.name) || (chain.openssl == "good" && !stricter.contains(chain.name));
    for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
      const std::string refusal = verdict(chain, version);
      INFO(chain.name << " for a " << chain.role << ", which OpenSSL finds " << chain.openssl << ": "
                      << refusal);
      CHECK(refusal.empty() == good);
      // A server of ours does not even show a certificate that is not for servers.
      if (!good && chain.name != "usage-own-client")
        CHECK(refusal.starts_with("untrusted: the certificate of "));
    }
  }
  // The differences are real ones.
  std::map<std::string, std::string> openssl;
  for (const Chain& chain : chains()) openssl[chain.name] = chain.openssl;
  for (const std::string& name : stricter) CHECK(openssl[name] == "good");
  for (const std::string& name : gentler) CHECK(openssl[name] == "bad");
}

TEST_CASE("TLS: each fault of a chain has its own sentence") {
  const std::string begin = "untrusted: the certificate of good.example.test ";
  CHECK(verdict("dns-other") == begin + "is outside the name constraints of CN=middle of dns-other");
  CHECK(verdict("usage-middle-client") ==
        begin + "has an issuer, CN=middle of usage-middle-client, that is not meant for this use");
  CHECK(verdict("name-common-only") == begin + "names no host");
  CHECK(verdict("name-wildcard-two-labels") == begin + "is for other names: *.test");
  CHECK(verdict("unknown-own") == begin + "has a critical extension that is not understood");
  CHECK(
      verdict("unknown-middle") ==
      begin +
          "has an issuer, CN=middle of unknown-middle, that has a critical extension that is not understood");
  CHECK(verdict("old-own") ==
        begin + "names no host, and is of an old version that cannot say what it is for");
  CHECK(verdict("expired-middle").starts_with(begin + "has an issuer, CN=plain times, that expired on 20"));
  CHECK(verdict("self-signed") == begin + "is self-signed and not trusted");
  CHECK(verdict("middle-missing") == begin + "comes from an issuer that is not trusted: CN=middle of plain");
}
