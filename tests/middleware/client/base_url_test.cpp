// BaseUrl: where relative requests go.

#include <escapement/middleware/client/base_url.h>

#include <catch2/catch_test_macros.hpp>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

std::string asked(const char* base, const char* path) {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Service service = layered(BaseUrl{*Url::parse(base)}, mock);
  CHECK(sim.run(service(Request("GET", *relative(path)))));
  return mock.asked()[0].what;
}

}  // namespace

TEST_CASE("base URL: paths join with one slash, and the query stays") {
  CHECK(asked("https://ghe.test/api/v3", "/repos/o?x=1#f") == "GET https://ghe.test/api/v3/repos/o?x=1#f");
  CHECK(asked("https://ghe.test/api/v3/", "repos") == "GET https://ghe.test/api/v3/repos");
  CHECK(asked("http://h:8080", "/") == "GET http://h:8080/");
  CHECK(asked("http://h?q", "a") == "GET http://h/a");
  CHECK(asked("http://h/api", "/../../x") == "GET http://h/api/x");  // not above the base
  CHECK(asked("http://h/api", "") == "GET http://h/api/");
}

TEST_CASE("base URL: other URLs go where they say, and what is no path is refused") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Service service = layered(BaseUrl{*Url::parse("http://h/api")}, mock);
  CHECK(sim.run(service(get("http://other/x"))));
  CHECK(mock.asked()[0].what == "GET http://other/x");
  for (const char* host : {"//evil/x", "http://evil/x"})
    CHECK(relative(host).error() == Errc::invalid_argument);
  CHECK(relative("/search?url=http://x/"));
  const std::string longest(Url::length_max - 30, 'a');
  Result<Response> outcome =
      sim.run(layered(BaseUrl{*Url::parse("http://a.rather.long.host.test/with/a/path")},
                      mock)(Request("GET", *relative(longest))));
  CHECK(outcome.error() == Errc::invalid_argument);
}
