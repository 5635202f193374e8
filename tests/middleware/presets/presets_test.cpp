// The presets as conversations with a mock peer.

#include <escapement/middleware/presets/github.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/cache/memory_cache_store.h>
#include <escapement/middleware/client/base_url.h>
#include <escapement/middleware/presets/cached.h>
#include <escapement/middleware/presets/resilient.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

TEST_CASE("resilient: retries, follows, gives up a slow attempt, and stops in time") {
  Sim sim;
  MockService mock(sim, {Step(503), Step(302, Headers{{"Location", "/to"}}), Step::hang(), Step(200)});
  CHECK(sim.run(resilient(mock)(get("http://h/")))->status == 200);
  CHECK(mock.asked().size() == 4);
  CHECK(mock.asked()[3].what == "GET http://h/to");
  CHECK(sim.elapsed() >= 10s);
  CHECK(sim.elapsed() <= 11s);
  Sim other;
  MockService hangs(other, {Step::hang()});
  CHECK(other.run(resilient(hangs)(get("http://h/"))).error() == Errc::timed_out);
  CHECK(other.elapsed() == 30s);
  CHECK(hangs.asked().size() == 3);
}

TEST_CASE("github: the fields, the token for its origin only, the limits and the queue") {
  Sim sim;
  MockService mock(sim, {Step(301, Headers{{"Location", "https://api.github.com/repositories/1"}}), Step(401),
                         Step(403, Headers{{"Retry-After", "5"}}),
                         Step(302, Headers{{"Location", "https://blob.test/x"}}), Step(200)});
  GitHubOptions options;
  int tokens = 0;
  options.get_token = [&]() -> Task<std::string> { co_return "t" + std::to_string(++tokens); };
  options.user_agent = "me";
  const Service api = github(mock, options);
  Result<Response> response = sim.run(api(Request("GET", *relative("/repos/o/r"))));
  REQUIRE(response);
  CHECK(response->status == 200);
  REQUIRE(mock.asked().size() == 5);
  CHECK(mock.asked()[0].what == "GET https://api.github.com/repos/o/r");
  CHECK(mock.asked()[0].headers.get_or("user-agent", "") == "me");
  CHECK(mock.asked()[0].headers.get_or("x-github-api-version", "") == "2022-11-28");
  CHECK(mock.asked()[1].headers.get_or("authorization", "") == "Bearer t1");
  CHECK(mock.asked()[2].headers.get_or("authorization", "") == "Bearer t2");
  CHECK(mock.times()[3] >= 5000);
  CHECK(mock.asked()[4].what == "GET https://blob.test/x");
  CHECK(!mock.asked()[4].headers.has("authorization"));
}

TEST_CASE("github: without a token, and for an Enterprise server") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  GitHubOptions options;
  options.base = "https://ghe.test/api/v3";
  CHECK(sim.run(github(mock, options)(Request("GET", *relative("/zen"))))->status == 200);
  CHECK(mock.asked()[0].what == "GET https://ghe.test/api/v3/zen");
  CHECK(!mock.asked()[0].headers.has("authorization"));
}

namespace {

// Yields a byte each 10 s, and stalls after the fifth, or breaks.
class SlowSource final : public BodySource {
 public:
  explicit SlowSource(bool stalls) : stalls_(stalls) {}
  Task<std::string> read() override {
    const bool over = bytes_ == 5;
    co_await sleep(over && stalls_ ? Duration::max() : Duration(10s));
    if (over) co_return Error(Errc::reset, "broken");
    co_return std::to_string(bytes_++);
  }

 private:
  bool stalls_;
  int bytes_ = 0;
};

}  // namespace

TEST_CASE("resilient: a body that stalls or breaks is read to its end, also after the time of the call") {
  for (const bool stalls : {false, true}) {
    CAPTURE(stalls);
    Sim sim;
    std::vector<std::string> ranges;
    const Service service = resilient(Service([&](Request request) -> Task<Response> {
      ranges.emplace_back(request.headers.get_or("range", "-"));
      Response response(ranges.size() == 1 ? 200 : 206, Headers{{"ETag", "\"v\""}}, Body());
      if (ranges.size() == 1) {
        response.body = Body(std::make_unique<SlowSource>(stalls));
      } else {
        response.headers.set("Content-Range", "bytes 5-9/10");
        response.body = escapement::test::pieces({"56789"});
      }
      co_return std::move(response);
    }));
    const escapement::test::Answer answer = *sim.run(escapement::test::ask(service, get("http://h/")));
    CHECK(answer.body == "0123456789");
    CHECK(ranges == std::vector<std::string>{"-", "bytes=5-"});
    CHECK(sim.elapsed() == (stalls ? 80s : 60s));
  }
}

TEST_CASE("resilient: Resume, each hop and each retry are paid for by one budget, and a call pays once") {
  Sim sim;
  MockService mock(sim, {Step(503)});
  ResilientOptions options;
  RetryBudgetOptions numbers;
  numbers.ratio = 0.2;
  numbers.per_second_min = 0;
  options.budget = RetryBudget(numbers);
  const Service service = resilient(mock, options);
  for (int i = 0; i < 100; ++i) CHECK(sim.run(service(get("http://h/")))->status == 503);
  CHECK(mock.asked().size() > 100);
  CHECK(mock.asked().size() <= 120);
}

TEST_CASE(
    "github: with a cache each use is validated, and a 304 becomes the response; each token has its own") {
  Sim sim;
  int full = 0;
  std::vector<std::string> tags;
  const Service peer = [&](Request request) -> Task<Response> {
    tags.emplace_back(request.headers.get_or("if-none-match", "-"));
    Headers fields{
        {"ETag", "\"v\""}, {"Cache-Control", "private, max-age=60"}, {"Vary", "Accept, Authorization"}};
    if (tags.back() == "\"v\"") co_return Response(304, std::move(fields), Body());
    co_return Response(200, std::move(fields), "repo " + std::to_string(++full));
  };
  GitHubOptions options;
  std::string token = "a";
  options.get_token = [&token]() -> Task<std::string> { co_return token; };
  options.cache = etag_cache();
  const auto asked = [&](const Service& api) {
    return sim.run(escapement::test::ask(api, Request("GET", *relative("/repos/o/r"))))->body;
  };
  const Service api = github(peer, options);
  CHECK(asked(api) == "repo 1");
  CHECK(asked(api) == "repo 1");
  CHECK(tags == std::vector<std::string>{"-", "\"v\""});
  token = "b";
  CHECK(asked(github(peer, options)) == "repo 2");
  CHECK(tags.back() == "-");
  CHECK(asked(github(peer, GitHubOptions())) == "repo 3");
}

TEST_CASE("resilient: with a cache a fresh response is not asked for again, and a broken one not kept") {
  Sim sim;
  int requests = 0;
  const Service peer = [&](Request request) -> Task<Response> {
    ++requests;
    if (request.url.path() == "/old") co_return Response(302, Headers{{"Location", "/new"}}, Body());
    Response response(200, Headers{{"Cache-Control", "max-age=60"}}, "good");
    if (requests == 1) response.body = escapement::test::pieces({"go"}, Duration(), true);
    co_return std::move(response);
  };
  ResilientOptions options;
  options.cache = cached(std::make_shared<MemoryCacheStore>());
  const Service api = resilient(peer, options);
  CHECK(sim.run(escapement::test::ask(api, get("http://h/new")))->status == 0);
  CHECK(sim.run(escapement::test::ask(api, get("http://h/new")))->body == "good");
  CHECK(sim.run(escapement::test::ask(api, get("http://h/old")))->body == "good");
  CHECK(requests == 3);  // the hop was asked for; what it leads to was there
}
