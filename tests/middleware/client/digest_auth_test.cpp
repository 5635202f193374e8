// DigestAuth: the examples of the RFCs, a server that counts and checks, stale nonces, and challenges that
// cannot be answered.

#include <escapement/middleware/client/digest_auth.h>

#include <set>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/detail/challenges.h>
#include <escapement/middleware/client/detail/hashes.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;

namespace {

http::detail::Challenge challenge(const std::string& text) {
  return http::detail::challenges_of(Headers{{"WWW-Authenticate", text}}, "www-authenticate").at(0);
}

// A server of one user, which checks every response by the formula.
struct Guard {
  std::string scheme = "MD5";
  std::string qop = "auth";
  std::string nonce = "n1";
  bool gives_next = false;
  std::string password = "secret";
  std::set<std::string> counts;  // "nonce:nc" that were used
  int refused = 0;
  int served = 0;

  std::string hash(const std::string& text) const {
    return scheme.starts_with("SHA-256") ? http::detail::sha256_hex(text) : http::detail::md5_hex(text);
  }
  Response refuse(bool stale) {
    ++refused;
    Response response(401, "no");
    response.headers.add("WWW-Authenticate", "Basic realm=\"x\"");
    response.headers.add("WWW-Authenticate", "Digest realm=\"r, \\\"q\", algorithm=" + scheme + ", nonce=\"" +
                                                 nonce + "\"" + (qop.empty() ? "" : ", qop=\"" + qop + "\"") +
                                                 ", opaque=\"o\"" + (stale ? ", stale=TRUE" : ""));
    return response;
  }
  Task<Response> serve(Request request) {
    const std::string field(request.headers.get_or("Authorization", ""));
    std::string body = co_await request.body.text(1 * KiB);
    if (field.empty()) co_return refuse(false);
    const http::detail::Challenge given = challenge(field);
    const auto get = [&](const char* name) { return std::string(given.get(name)); };
    if (get("nonce") != nonce) co_return refuse(true);
    if (!qop.empty() && !counts.insert(get("nonce") + ':' + get("nc")).second)
      co_return Response(400, "replayed");
    std::string secret = hash("me:r, \"q:" + password);
    if (scheme.ends_with("-sess")) secret = hash(secret + ':' + nonce + ':' + get("cnonce"));
    std::string about = std::string(request.method.text()) + ':' + get("uri");
    if (get("qop") == "auth-int") about += ':' + hash(body);
    const std::string middle = qop.empty() ? "" : get("nc") + ':' + get("cnonce") + ':' + get("qop") + ':';
    const bool good = get("response") == hash(secret + ':' + nonce + ':' + middle + hash(about)) &&
                      get("uri") == request.url.target() && get("opaque") == "o" && get("username") == "me";
    if (!good) co_return refuse(false);
    ++served;
    Response response(200, "welcome " + body);
    if (gives_next) {
      nonce += ";,x";
      response.headers.set("Authentication-Info", "qop=auth, nextnonce=\"" + nonce + '"');
    }
    co_return std::move(response);
  }
};

DigestAuthOptions options(const std::string& password = "secret") {
  DigestAuthOptions options;
  options.origin = "http://h";
  options.user = "me";
  options.password = password;
  return options;
}

Service guarded(Guard& guard, const DigestAuth& auth) {
  return layered(auth, [&guard](Request request) { return guard.serve(std::move(request)); });
}

}  // namespace

TEST_CASE("digest auth: the examples of RFC 7616 section 3.9.1 and RFC 2617 section 3.5") {
  http::detail::DigestInput input;
  input.user = "Mufasa";
  input.password = "Circle of Life";
  input.method = "GET";
  input.target = "/dir/index.html";
  input.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
  const std::string rest =
      ", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
      "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
  const std::string realm = "Digest realm=\"http-auth@example.org\", algorithm=";
  CHECK(http::detail::digest_authorization(challenge(realm + "SHA-256" + rest), input)
            .find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"") !=
        std::string::npos);
  CHECK(http::detail::digest_authorization(challenge(realm + "MD5" + rest), input)
            .find("response=\"8ca523f5e9506fed4657c9700eebdbec\"") != std::string::npos);
  CHECK(http::detail::digest_authorization(challenge(realm + "SHA-512-256" + rest), input).empty());
  input.password = "Circle Of Life";
  input.cnonce = "0a4f113b";
  CHECK(http::detail::digest_authorization(
            challenge(
                "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
                "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""),
            input) ==
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
        "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
        "uri=\"/dir/index.html\", response=\"6629fae49393a05397450978507c4ef1\", "
        "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, nc=00000001, cnonce=\"0a4f113b\"");
}

TEST_CASE("digest auth: every algorithm and qop, one challenge for many requests") {
  for (const char* scheme : {"MD5", "MD5-sess", "SHA-256", "SHA-256-sess"}) {
    for (const char* qop : {"auth", "auth-int", "auth-int,auth", ""}) {
      Sim sim;
      Guard guard;
      guard.scheme = scheme;
      guard.qop = qop;
      const Service service = guarded(guard, DigestAuth(options()));
      for (int i = 0; i < 3; ++i) {
        Request request("POST", *Url::parse("http://h/a?b=c"), {}, "body");
        CHECK(sim.run(ask(service, std::move(request)))->body == "welcome body");
      }
      CHECK(guard.refused == 1);
      CHECK(guard.served == 3);
    }
  }
}

TEST_CASE("digest auth: a wrong password is tried once for each request") {
  Sim sim;
  Guard guard;
  const Service service = guarded(guard, DigestAuth(options("wrong")));
  CHECK(sim.run(ask(service, get("http://h/")))->status == 401);
  CHECK(guard.refused == 2);
  CHECK(sim.run(ask(service, get("http://h/")))->status == 401);
  CHECK(guard.refused == 4);
}

TEST_CASE("digest auth: a stale nonce is exchanged, and a next one is used") {
  Sim sim;
  Guard guard;
  const Service service = guarded(guard, DigestAuth(options()));
  CHECK(sim.run(ask(service, get("http://h/")))->status == 200);
  guard.nonce = "n2";
  CHECK(sim.run(ask(service, get("http://h/")))->status == 200);
  CHECK(guard.refused == 2);
  guard.gives_next = true;
  for (int i = 0; i < 3; ++i) CHECK(sim.run(ask(service, get("http://h/")))->status == 200);
  CHECK(guard.refused == 2);
}

TEST_CASE("digest auth: requests beside each other never use a count twice") {
  Sim sim;
  Guard guard;
  const Service service = guarded(guard, DigestAuth(options()));
  CHECK(sim.run(ask(service, get("http://h/")))->status == 200);
  Scope scope(sim.reactor());
  int good = 0;
  auto call = [&]() -> Task<> {
    Answer answer = co_await ask(service, get("http://h/"));
    good += answer.status == 200 ? 1 : 0;
  };
  for (int i = 0; i < 20; ++i) scope.spawn(call);
  CHECK(sim.run(scope.join()));
  CHECK(good == 20);
}

TEST_CASE("digest auth: other origins, other challenges and bodies that cannot be sent again") {
  Sim sim;
  Guard guard;
  const Service service = guarded(guard, DigestAuth(options()));
  CHECK(sim.run(ask(service, get("https://h/")))->status == 401);
  CHECK(sim.run(ask(service, get("http://h:81/")))->status == 401);
  CHECK(guard.refused == 2);
  Request streamed("POST", *Url::parse("http://h/"), {}, escapement::test::pieces({"a"}));
  CHECK(sim.run(ask(service, std::move(streamed)))->status == 401);
  CHECK(guard.refused == 3);
  for (const char* field :
       {"Basic realm=\"x\"", "Digest realm=\"x\"", "Digest nonce=\"n\", algorithm=SHA-512-256",
        "Digest nonce=\"n\", qop=\"other\"", "Digest nonce=\"n", "", ",,,"}) {
    int calls = 0;
    const Service odd = layered(DigestAuth(options()), [&](Request) -> Task<Response> {
      ++calls;
      co_return Response(401, Headers{{"WWW-Authenticate", field}}, "");
    });
    CHECK(sim.run(ask(odd, get("http://h/")))->status == 401);
    CHECK(calls == 1);
  }
}

TEST_CASE("digest auth: names outside ASCII, and names that are hashed") {
  http::detail::DigestInput input;
  input.user = "J\xc3\xa4s\xc3\xb8n";
  CHECK(http::detail::digest_authorization(challenge("Digest nonce=n, charset=UTF-8"), input)
            .starts_with("Digest username*=UTF-8''J%C3%A4s%C3%B8n, "));
  input.user = "me";
  CHECK(http::detail::digest_authorization(challenge("Digest nonce=n, realm=r, userhash=true"), input)
            .starts_with("Digest username=\"" + http::detail::md5_hex("me:r") + "\", userhash=true"));
}
