// ClientRequestId: one id for all attempts, or one for each.

#include <escapement/middleware/client/client_request_id.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/client/retry.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

std::vector<std::string> ids(bool outside, Headers headers = {}) {
  Sim sim;
  MockService mock(sim, {Step(500), Step(200, Headers{{"X-Request-Id", "theirs"}})});
  const Service service =
      outside ? layered(ClientRequestId{}, Retry{}, mock) : layered(Retry{}, ClientRequestId{}, mock);
  Result<Response> response = sim.run(service(Request("GET", *Url::parse("http://h/"), std::move(headers))));
  CHECK(response->headers.get_or("x-request-id", "") == "theirs");
  std::vector<std::string> ids;
  for (const test::Asked& asked : mock.asked()) ids.emplace_back(asked.headers.get_or("x-request-id", ""));
  return ids;
}

}  // namespace

TEST_CASE("client request id: outside of a Retry all attempts share one, inside each has its own") {
  const std::vector<std::string> shared = ids(true);
  CHECK(shared[0].size() == 32);
  CHECK(shared[0].find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(shared[0] == shared[1]);
  const std::vector<std::string> own = ids(false);
  CHECK(own[0] != own[1]);
}

TEST_CASE("client request id: one that is there stays") {
  CHECK(ids(true, Headers{{"X-REQUEST-ID", "mine"}}) == std::vector<std::string>{"mine", "mine"});
}
