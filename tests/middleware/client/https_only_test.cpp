// HttpsOnly: which URLs pass, also behind a redirect.

#include <escapement/middleware/client/https_only.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/client/redirect.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

Task<int> status_of(Service service, std::string url) {
  Request request("GET", *Url::parse(url));
  Response response = co_await service(std::move(request));
  co_return response.status;
}

}  // namespace

TEST_CASE("https only: http is refused before it is sent, https passes") {
  Sim sim;
  const MockService mock(sim, {Step(200)});
  const Service service = layered(HttpsOnly{}, mock);
  Result<int> refused = sim.run(status_of(service, "http://a.test/"));
  REQUIRE(!refused);
  CHECK(refused.error() == Errc::invalid_argument);
  CHECK(refused.error().fault() == Fault::https_only);
  CHECK(!refused.error().maybe_sent());
  CHECK(refused.error().peer() == "http://a.test");
  CHECK(mock.asked().empty());
  CHECK(*sim.run(status_of(service, "https://a.test/")) == 200);
}

TEST_CASE("https only: inside a Redirect it looks at each hop") {
  Sim sim;
  Headers away;
  away.set("Location", "http://b.test/");
  const MockService mock(sim, {Step(302, away), Step(200)});
  Redirect redirect;
  redirect.allow_https_to_http = true;
  Result<int> refused = sim.run(status_of(layered(redirect, HttpsOnly{}, mock), "https://a.test/"));
  REQUIRE(!refused);
  CHECK(refused.error().fault() == Fault::https_only);
  CHECK(mock.asked().size() == 1);
}
