// Cors, by the rows of Fetch section 3.3, and Csrf.

#include <escapement/middleware/server/cors.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/server/csrf.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::request;

namespace {

Answer answer(const Service& service, const char* method, Headers headers) {
  Sim sim;
  return *sim.run(ask(service, request(method, "/", std::move(headers))));
}

Service hello() {
  return [](Request) -> Task<Response> {
    co_return Response(200, Headers{{"Vary", "Accept"}, {"X-Total", "3"}}, "hello");
  };
}

CorsOptions app() {
  CorsOptions options;
  options.origins = {"https://app.test", "null"};
  options.methods = {"GET", "PUT"};
  options.request_fields = {"X-Token", "Content-Type"};
  options.response_fields = {"X-Total"};
  options.credentials = true;
  return options;
}

}  // namespace

TEST_CASE("cors: a preflight is answered here, for allowed origins and methods only") {
  const Service service = layered(Cors(app()), hello());
  Answer good =
      answer(service, "OPTIONS", {{"Origin", "https://app.test"}, {"Access-Control-Request-Method", "PUT"}});
  CHECK(good.status == 204);
  CHECK(good.field("Access-Control-Allow-Origin") == "https://app.test");
  CHECK(good.field("Access-Control-Allow-Credentials") == "true");
  CHECK(good.field("Access-Control-Allow-Methods") == "GET, PUT");
  CHECK(good.field("Access-Control-Allow-Headers") == "X-Token, Content-Type");
  CHECK(good.field("Access-Control-Max-Age") == "600");
  CHECK(good.field("Vary") == "Origin");
  for (const auto& [origin, method] :
       {std::pair("https://evil.test", "PUT"), std::pair("https://app.test", "DELETE"),
        std::pair("https://app.test", "put"), std::pair("https://app.test.evil.test", "PUT"),
        std::pair("http://app.test", "PUT"), std::pair("https://APP.test", "PUT")}) {
    CAPTURE(origin, method);
    Answer bad = answer(service, "OPTIONS", {{"Origin", origin}, {"Access-Control-Request-Method", method}});
    CHECK(bad.status == 403);
    CHECK(bad.field("Access-Control-Allow-Origin").empty());
  }
  CHECK(answer(service, "OPTIONS", {{"Origin", "https://app.test"}}).body == "hello");  // no preflight
  CHECK(answer(service, "OPTIONS", {{"Access-Control-Request-Method", "PUT"}}).body == "hello");
}

TEST_CASE("cors: responses name the origin that may read them, and vary by it") {
  const Service service = layered(Cors(app()), hello());
  Answer good = answer(service, "GET", {{"Origin", "https://app.test"}});
  CHECK(good.field("Access-Control-Allow-Origin") == "https://app.test");
  CHECK(good.field("Access-Control-Expose-Headers") == "X-Total");
  CHECK(good.headers.joined("Vary") == "Accept, Origin");
  for (Headers headers : {Headers{}, Headers{{"Origin", "https://evil.test"}}}) {
    Answer other = answer(service, "GET", std::move(headers));
    CHECK(other.body == "hello");
    CHECK(other.field("Access-Control-Allow-Origin").empty());
    CHECK(other.headers.joined("Vary") == "Accept, Origin");  // a cache must not mix them up
  }
  CHECK(answer(service, "GET", {{"Origin", "null"}}).field("Access-Control-Allow-Origin") == "null");
  CorsOptions open;
  open.origins = {"*"};
  Answer any = answer(layered(Cors(open), hello()), "GET", {{"Origin", "https://evil.test"}});
  CHECK(any.field("Access-Control-Allow-Origin") == "*");
  CHECK(any.headers.joined("Vary") == "Accept");
}

TEST_CASE("csrf: what changes something comes from the own origin, or from no page") {
  CsrfOptions options;
  options.trusted_origins = {"https://app.test"};
  const Service service = layered(Csrf(options), hello());
  const auto status = [&](const char* method, Headers headers) {
    headers.add("Host", "api.test");
    return answer(service, method, std::move(headers)).status;
  };
  CHECK(status("POST", {}) == 200);  // curl
  CHECK(status("POST", {{"Sec-Fetch-Site", "same-origin"}}) == 200);
  CHECK(status("POST", {{"Sec-Fetch-Site", "none"}}) == 200);
  CHECK(status("POST", {{"Sec-Fetch-Site", "cross-site"}}) == 403);
  CHECK(status("POST", {{"Sec-Fetch-Site", "same-site"}}) == 403);
  CHECK(status("DELETE", {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}}) == 403);
  CHECK(status("DELETE", {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://app.test"}}) == 200);
  CHECK(status("GET", {{"Sec-Fetch-Site", "cross-site"}}) == 200);
  CHECK(status("HEAD", {{"Origin", "https://evil.test"}}) == 200);
  CHECK(status("OPTIONS", {{"Origin", "https://evil.test"}}) == 200);
  // Older browsers send no Sec-Fetch-Site.
  CHECK(status("POST", {{"Origin", "https://api.test"}}) == 200);
  CHECK(status("POST", {{"Origin", "http://api.test"}}) == 200);
  CHECK(status("POST", {{"Origin", "https://api.test:444"}}) == 403);
  CHECK(status("POST", {{"Origin", "https://evil.test"}}) == 403);
  CHECK(status("POST", {{"Origin", "null"}}) == 403);
  CHECK(status("POST", {{"Origin", "https://api.test.evil.test"}}) == 403);
}
