// forward: which fields go on, which URL is asked, and who the client was.
#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/server/forward.h>

using namespace escapement;
using namespace escapement::http;

namespace {

Request received(const char* url, Headers headers = {}) {
  return Request("GET", *Url::parse(url), std::move(headers));
}

std::string asked(const char* url, const char* upstream) {
  Result<Request> request = forward(received(url), *Url::parse(upstream));
  return request ? request->url.text() : std::string(name(request.error().code()));
}

}  // namespace

TEST_CASE("forward: the path follows the upstream's") {
  CHECK(asked("http://me/users?page=2", "http://10.0.0.1:8080/api") ==
        "http://10.0.0.1:8080/api/users?page=2");
  CHECK(asked("http://me/users", "http://up/api/") == "http://up/api/users");
  CHECK(asked("http://me/", "http://up/") == "http://up/");
  CHECK(asked("http://me/a%2Fb?", "https://up") == "https://up/a%2Fb?");
  Request options("OPTIONS", *Url::parse("http://me/"));
  options.target = "*";
  CHECK(forward(std::move(options), *Url::parse("http://up/")).error() == Errc::invalid_argument);
}

TEST_CASE("forward: what concerns one connection stays") {
  Headers headers{{"Host", "me"},
                  {"Connection", "close, X-Mine ,,x-other"},
                  {"X-Mine", "1"},
                  {"X-Other", "2"},
                  {"Keep-Alive", "5"},
                  {"TE", "trailers"},
                  {"Upgrade", "h2c"},
                  {"HTTP2-Settings", "a"},
                  {"Expect", "100-continue"},
                  {"Proxy-Authorization", "secret"},
                  {"Accept", "text/html"},
                  {"Cookie", "a=b"}};
  Result<Request> request = forward(received("http://me/", headers), *Url::parse("http://up/"));
  REQUIRE(request);
  for (const char* name : {"Host", "Connection", "X-Mine", "X-Other", "Keep-Alive", "TE", "Upgrade",
                           "HTTP2-Settings", "Expect", "Proxy-Authorization"}) {
    INFO(name);
    CHECK_FALSE(request->headers.has(name));
  }
  CHECK(request->headers.get_or("Accept", "") == "text/html");
  CHECK(request->headers.get_or("Cookie", "") == "a=b");
}

TEST_CASE("forward: a client's own claims count only where they are trusted") {
  const Headers claims{{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-Proto", "https"}, {"Via", "1.1 cdn"}};
  Result<Request> plain = forward(received("http://me:81/", claims), *Url::parse("http://up/"));
  CHECK_FALSE(plain->headers.has("X-Forwarded-For"));  // no server received it: the client is not known
  CHECK(plain->headers.get_or("X-Forwarded-Proto", "") == "http");
  CHECK(plain->headers.get_or("X-Forwarded-Host", "") == "me:81");
  CHECK(plain->headers.get_or("Via", "") == "1.1 cdn, 1.1 escapement");
  ForwardOptions options;
  options.trust_forwarded = true;
  options.via = "";
  Result<Request> trusting = forward(received("http://me/", claims), *Url::parse("http://up/"), options);
  CHECK(trusting->headers.get_or("X-Forwarded-For", "") == "6.6.6.6");
  CHECK(trusting->headers.get_or("X-Forwarded-Proto", "") == "https");
  CHECK(trusting->headers.get_or("Via", "") == "1.1 cdn");
}

TEST_CASE("forward: through a server and a client, the body streams and the client's address arrives") {
  Sim sim;
  for (const char* host : {"up", "proxy", "user"}) sim.network().add_host(host);
  Server upstream([](Request request) -> Task<Response> {
    std::string body = co_await request.body.text(1 * MiB);
    Response response(200, std::string(request.headers.get_or("X-Forwarded-For", "none")) + " " +
                               std::to_string(body.size()));
    response.headers.set("Proxy-Connection", "keep-alive");
    co_return std::move(response);
  });
  const Service client = Client(sim.network());
  const Url origin = *Url::parse("http://up/");
  Server proxy([client, origin](Request request) -> Task<Response> {
    Request forwarded = co_await forward(std::move(request), origin);
    Response response = co_await client(std::move(forwarded));
    remove_connection_fields(response.headers);
    co_return std::move(response);
  });
  Scope scope(sim.reactor());
  scope.spawn(upstream.listen(sim.network(), "up:80"));
  scope.spawn(proxy.listen(sim.network(), "proxy:80"));
  sim.settle();
  const auto post = [&]() -> Task<std::string> {
    Client user(sim.network());
    Request request("POST", *Url::parse("http://proxy/"), {}, Body(std::string(300'000, 'x')));
    Response response = co_await user(std::move(request));
    CHECK_FALSE(response.headers.has("Proxy-Connection"));
    co_return co_await response.body.text(1 * KiB);
  };
  const Result<std::string> text = sim.run(post());
  REQUIRE(text);
  CHECK(text->ends_with(" 300000"));
  CHECK_FALSE(text->starts_with("none"));
}
