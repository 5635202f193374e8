// Which name a connection is for, and whom a client trusts.

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>

#include "support/read_and_write.h"
#include "support/scratch_folder.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

constexpr TlsVersion versions[] = {TlsVersion::tls12, TlsVersion::tls13};

}  // namespace

// --- Requests for another host, or by another scheme (RFC 9110 section 7.4)

namespace {

// The first line of the answer to a request, and the URL that the handler saw.
Task<std::string> status_line(std::unique_ptr<Stream> client, std::unique_ptr<Stream> server,
                              std::string request) {
  auto say_url = [](http::Request asked) -> Task<http::Response> {
    co_return http::Response(200, asked.url.text());
  };
  http::Server http_server(say_url);
  Scope scope(co_await this_reactor);
  scope.spawn(http_server.serve_connection(std::move(server)));
  co_await client->write(as_bytes(request));
  std::string answer = co_await read_all(*client);
  const std::size_t body = answer.find("\r\n\r\n");
  co_return answer.substr(9, 3) + ' ' + (body == answer.npos ? "" : answer.substr(body + 4));
}

std::string answer_over_tls(const std::string& asked_name, const std::string& shown,
                            const std::string& target, const std::string& host,
                            TlsVersion version = TlsVersion::tls13) {
  auto run = [](std::string asked_name, std::string shown, std::string request,
                TlsVersion version) -> Task<std::string> {
    TlsClientOptions options;
    options.newest = version;
    options.dangerously_accept_any_certificate = true;
    TlsClient client = make_client(options);
    TlsServer server = make_server(serving(shown, std::string("b")));
    PipeEnds plain = pipe();
    Scope scope(co_await this_reactor);
    JoinHandle<std::unique_ptr<TlsStream>> accepting =
        scope.spawn_joinable(server.accept(std::move(plain.second)));
    std::unique_ptr<TlsStream> connected = co_await client.connect(std::move(plain.first), asked_name);
    std::unique_ptr<TlsStream> accepted = co_await std::move(accepting).join();
    co_return co_await status_line(std::move(connected), std::move(accepted), request);
  };
  const std::string host_field = host.empty() ? "" : "Host: " + host + "\r\n";
  const std::string request = "GET " + target + (host.empty() ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n") +
                              host_field + "Connection: close\r\n\r\n";
  Sim sim;
  Result<std::string> seen = sim.run(run(asked_name, shown, request, version));
  return seen ? *seen : to_string(seen.error());
}

std::string answer_in_the_clear(const std::string& target) {
  auto run = [](std::string request) -> Task<std::string> {
    PipeEnds plain = pipe();
    co_return co_await status_line(std::move(plain.first), std::move(plain.second), request);
  };
  Sim sim;
  Result<std::string> seen =
      sim.run(run("GET " + target + " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"));
  return seen ? *seen : to_string(seen.error());
}

}  // namespace

TEST_CASE("a request whose target names the other scheme is misdirected") {
  CHECK(answer_in_the_clear("/x") == "200 http://a.test/x");
  CHECK(answer_in_the_clear("http://bank.test/x") == "200 http://bank.test/x");
  CHECK(answer_in_the_clear("https://bank.test/secret").starts_with("421 "));
  CHECK(answer_in_the_clear("HTTPS://a.test/secret").starts_with("421 "));
  CHECK(answer_over_tls("a.test", "a", "https://a.test/x", "a.test") == "200 https://a.test/x");
  CHECK(answer_over_tls("a.test", "a", "http://a.test/x", "a.test").starts_with("421 "));
}

TEST_CASE(
    "over TLS, a request for a host that was not asked for and is not in the certificate is misdirected") {
  for (const TlsVersion version : versions) {
    CHECK(answer_over_tls("a.test", "a", "/", "a.test", version) == "200 https://a.test/");
    CHECK(answer_over_tls("localhost", "a", "/secret", "bank.test", version).starts_with("421 "));
  }
  // However the name is spelt, and whatever the port.
  for (const char* host : {"A.Test", "a.test:8443", "a.test.", "A.test.:443"}) {
    INFO(host);
    CHECK(answer_over_tls("A.tesT", "a", "/", host).starts_with("200 "));
  }
  // Another name of the certificate that was shown, also an address; but not one of another certificate's.
  for (const char* host : {"localhost", "127.0.0.1", "127.0.0.1:8443", "[::1]", "[::1]:443"}) {
    INFO(host);
    CHECK(answer_over_tls("a.test", "a", "/", host).starts_with("200 "));
  }
  for (const char* host : {"b.test", "127.0.0.2", "[::2]", "xa.test", "a.test.evil.test", "test"}) {
    INFO(host);
    CHECK(answer_over_tls("a.test", "a", "/", host).starts_with("421 "));
  }
  CHECK(answer_over_tls("one.wild.test", "wild", "/", "two.wild.test").starts_with("200 "));
  CHECK(answer_over_tls("one.wild.test", "wild", "/", "wild.test").starts_with("421 "));
  CHECK(answer_over_tls("one.wild.test", "wild", "/", "a.b.wild.test").starts_with("421 "));
  // The name that was asked for is served, whatever the certificate says of it.
  CHECK(answer_over_tls("private.test", "a", "/", "private.test").starts_with("200 "));
  // A target with a host counts, not the Host field; without either there is nothing to compare.
  CHECK(answer_over_tls("a.test", "a", "https://bank.test/secret", "a.test").starts_with("421 "));
  CHECK(answer_over_tls("a.test", "a", "https://a.test/", "bank.test").starts_with("200 "));
  CHECK(answer_over_tls("a.test", "a", "/", "").starts_with("200 "));
  // A client that connects to an address sends no name.
  CHECK(answer_over_tls("127.0.0.1", "a", "/", "127.0.0.1").starts_with("200 "));
  CHECK(answer_over_tls("10.1.2.3", "a", "/", "anything.test").starts_with("200 "));
}

// --- Trust in certificate authorities

TEST_CASE("TLS: the system's certificates are those of SSL_CERT_FILE and of each folder of SSL_CERT_DIR") {
  const ScratchFolder folder;
  const std::filesystem::path at = folder.path();
  std::filesystem::create_directories(at / "one");
  std::filesystem::create_directories(at / "two");
  std::filesystem::create_directories(at / "empty");
  std::filesystem::copy_file(certificate_file("ca.pem"), at / "one" / "ca.pem");
  std::filesystem::copy_file(certificate_file("other_ca.pem"), at / "two" / "0123abcd.0");
  // Where there are names by OpenSSL's hash, only those count.
  std::filesystem::copy_file(certificate_file("ca.pem"), at / "two" / "unhashed.pem");
  const auto believes = [](const std::string& name) {
    Sim sim;
    Result<Outcome> outcome = sim.run(shake_hands(make_client({}), make_server(serving(name)), "a.test"));
    REQUIRE(outcome);
    return outcome->client ? std::string("believed") : to_string(outcome->client.error());
  };
  const auto set = [](const char* name, const std::string& value) {
    REQUIRE((value.empty() ? unsetenv(name) : setenv(name, value.c_str(), 1)) == 0);
  };
  const std::string one = (at / "one").string();
  const std::string two = (at / "two").string();
  const std::string untrusted =
      "untrusted: the certificate of a.test comes from an issuer that is not trusted: ";

  set("SSL_CERT_DIR", one);
  CHECK(believes("a") == "believed");
  CHECK(believes("foreign") == untrusted + "CN=another test root");
  set("SSL_CERT_DIR", two);
  CHECK(believes("a") == untrusted + "CN=escapement test root");
  CHECK(believes("foreign") == "believed");
  for (const std::string& list :
       {one + ':' + two, two + "::/nonexistent:" + one, ':' + one + ':' + two + ':'}) {
    INFO(list);
    set("SSL_CERT_DIR", list);
    CHECK(believes("a") == "believed");
    CHECK(believes("foreign") == "believed");
  }
  set("SSL_CERT_DIR", two);
  set("SSL_CERT_FILE", certificate_file("ca.pem"));
  CHECK(believes("a") == "believed");
  CHECK(believes("foreign") == "believed");
  set("SSL_CERT_DIR", "/nonexistent");
  CHECK(believes("a") == "believed");
  set("SSL_CERT_FILE", "");
  CHECK(believes("a") == "invalid_argument: no certificates to trust in /nonexistent");
  set("SSL_CERT_DIR", (at / "empty").string());
  CHECK(believes("a") == "invalid_argument: no certificates to trust in " + (at / "empty").string());
  set("SSL_CERT_DIR", "");
}

TEST_CASE("TLS: a ticket is sealed for the connection that it goes out on, whoever shook hands meanwhile") {
  Sim sim;
  auto run = []() -> Task<> {
    const TlsClient client = make_client(trusting_ca());
    const TlsServer server = make_server(serving("a"));
    using Both = std::tuple<std::unique_ptr<TlsStream>, std::unique_ptr<TlsStream>>;
    PipeEnds plain = pipe();
    Both first = co_await all(client.connect(std::move(plain.first), "a.test"),
                              server.accept(std::move(plain.second)));
    {
      PipeEnds others = pipe();
      Both second = co_await all(client.connect(std::move(others.first), "localhost"),
                                 server.accept(std::move(others.second)));
    }
    // The ticket of TLS 1.3 goes out with the server's first read or write.
    co_await std::get<1>(first)->write(as_bytes("x"));
    std::string got = co_await read_exactly(*std::get<0>(first), 1);
    CHECK(got == "x");
    Outcome again = co_await shake_hands(client, server, "a.test");
    CHECK((again.client && again.client->resumed));
  };
  CHECK(outcome_text(sim.run(run())) == "");
}
