// Redirect as conversations with a mock service.

#include <escapement/middleware/client/redirect.h>

#include <catch2/catch_test_macros.hpp>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

std::string told(const Result<Response>& outcome) {
  return outcome ? std::to_string(outcome->status) : std::string(name(outcome.error().code()));
}

Request request(const char* method, Headers headers = {}, Body body = {}) {
  return Request(method, *Url::parse("http://h/"), std::move(headers), std::move(body));
}

class OneShot final : public BodySource {
 public:
  Task<std::string> read() override { co_return std::exchange(rest_, std::string()); }

 private:
  std::string rest_ = "once";
};

}  // namespace

TEST_CASE("redirect: methods and bodies") {
  struct Row {
    int status;
    const char* method;
    std::string second;  // what the target is asked; empty: it is not followed
  };
  for (const Row& row : std::vector<Row>{{301, "GET", "GET http://h/to"},
                                         {302, "GET", "GET http://h/to"},
                                         {301, "POST", "GET http://h/to"},
                                         {302, "POST", "GET http://h/to"},
                                         {301, "PUT", "PUT http://h/to b"},
                                         {303, "POST", "GET http://h/to"},
                                         {303, "PUT", "GET http://h/to"},
                                         {303, "HEAD", "HEAD http://h/to b"},
                                         {307, "POST", "POST http://h/to b"},
                                         {308, "PUT", "PUT http://h/to b"},
                                         {300, "GET", ""},
                                         {304, "GET", ""},
                                         {305, "GET", ""}}) {
    CAPTURE(row.status, row.method);
    Sim sim;
    MockService mock(sim, {Step(row.status, Headers{{"Location", "/to"}}), Step(200)});
    const bool has_body = std::string_view(row.method) != "GET";
    Result<Response> outcome =
        sim.run(layered(Redirect{}, mock)(request(row.method, {}, has_body ? "b" : "")));
    CHECK(told(outcome) == (row.second.empty() ? std::to_string(row.status) : "200"));
    CHECK(mock.asked().size() == (row.second.empty() ? 1 : 2));
    if (!row.second.empty()) CHECK(mock.asked()[1].what == row.second);
  }
  Sim sim;
  MockService streamed(sim, {Step(307, Headers{{"Location", "/to"}})});
  CHECK(told(sim.run(
            layered(Redirect{}, streamed)(request("POST", {}, Body(std::make_unique<OneShot>()))))) == "307");
  MockService nowhere(sim, {Step(302)});
  CHECK(told(sim.run(layered(Redirect{}, nowhere)(request("GET")))) == "302");
}

TEST_CASE("redirect: credentials stay with their origin, for good") {
  const Headers secrets{{"Authorization", "a"},    {"Cookie", "c"},  {"Proxy-Authorization", "p"},
                        {"WWW-Authenticate", "w"}, {"Host", "name"}, {"X", "kept"}};
  for (const char* other : {"http://other/", "http://h:81/", "https://h/"}) {
    CAPTURE(other);
    Sim sim;
    MockService mock(sim, {Step(302, Headers{{"Location", "/same"}}), Step(302, Headers{{"Location", other}}),
                           Step(302, Headers{{"Location", "http://h/back"}}), Step(200)});
    Redirect redirect;
    redirect.allow_https_to_http = true;
    CHECK(told(sim.run(layered(redirect, mock)(request("GET", secrets)))) == "200");
    CHECK(mock.asked()[1].headers.has("authorization"));
    for (const int hop : {2, 3}) {
      for (const char* secret :
           {"authorization", "cookie", "proxy-authorization", "www-authenticate", "host"})
        CHECK(!mock.asked()[hop].headers.has(secret));
      CHECK(mock.asked()[hop].headers.has("x"));
    }
  }
}

TEST_CASE("redirect: too many, downgrades, and nonsense are errors") {
  Sim sim;
  const auto outcome_of = [&](std::vector<Step> steps, Redirect redirect, const char* from = "http://h/") {
    MockService mock(sim, std::move(steps));
    return sim.run(layered(redirect, mock)(get(from)));
  };
  const auto to = [](const char* location) { return Step(302, Headers{{"Location", location}}); };
  Redirect two;
  two.hops_max = 2;
  CHECK(told(outcome_of({to("/1"), to("/2"), Step(200)}, two)) == "200");
  Result<Response> many = outcome_of({to("/1"), to("/2"), to("/3")}, two);
  CHECK(many.error() == Errc::limit_exceeded);
  CHECK(many.error().message().find("http://h/2") != std::string::npos);
  CHECK(outcome_of({to("http://h/")}, Redirect{}, "https://h/").error() == Errc::bad_message);
  CHECK(outcome_of({to("ftp://h/")}, Redirect{}).error() == Errc::bad_message);
  for (const char* two_hosts :
       {"http://a b/", "/\\o/", "\\\\o/", "//o\\@h/", "http:\\\\o/", "http://caf\xc3\xa9/"})
    CHECK(outcome_of({to(two_hosts)}, Redirect{}).error() == Errc::bad_message);
  MockService mock(sim, {to("http://u:p@o/"), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, mock)(get("http://h/#f")))) == "200");
  CHECK(mock.asked()[1].what == "GET http://o/#f");
}

TEST_CASE("redirect: a Location is read as browsers read it") {
  for (const auto& [location, asked] : std::vector<std::pair<const char*, const char*>>{
           {"/caf\xc3\xa9", "GET http://h/caf%C3%A9"},
           {"/caf\xe9", "GET http://h/caf%E9"},
           {"/a b", "GET http://h/a%20b"},
           {"/a?q=50%", "GET http://h/a?q=50%"},
           {"/50%", "GET http://h/50%"},
           {"/a\\b", "GET http://h/a/b"},
           {"/f%2Dile%7E?sig=a%2Db%3d&x=%2e", "GET http://h/f%2Dile%7E?sig=a%2Db%3d&x=%2e"},
           {"http://o/\xff", "GET http://o/%FF"}}) {
    CAPTURE(asked);
    Sim sim;
    MockService mock(sim, {Step(302, Headers{{"Location", location}}), Step(200)});
    CHECK(told(sim.run(layered(Redirect{}, mock)(request("GET")))) == "200");
    REQUIRE(mock.asked().size() == 2);
    CHECK(mock.asked()[1].what == asked);
  }
}

TEST_CASE("redirect: the same URL again is followed, and only the number of hops ends it") {
  const auto to = [](const char* location) { return Step(302, Headers{{"Location", location}}); };
  Sim sim;
  MockService cookie(sim, {to("/"), Step(200)});  // the same URL, after a cookie was set
  CHECK(told(sim.run(layered(Redirect{}, cookie)(request("GET")))) == "200");
  MockService there_and_back(sim, {to("/b"), to("/"), to("/b"), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, there_and_back)(request("GET")))) == "200");
  MockService poll(sim,
                   {Step(307, Headers{{"Location", "/"}}), Step(307, Headers{{"Location", "/"}}), Step(200)});
  CHECK(told(sim.run(layered(Redirect{}, poll)(request("POST", {}, "b")))) == "200");
  CHECK(poll.asked()[2].what == "POST http://h/ b");
  MockService forever(sim, {to("/")});
  CHECK(told(sim.run(layered(Redirect{}, forever)(request("GET")))) == "limit_exceeded");
  CHECK(forever.asked().size() == 11);
  MockService empty(sim, {to("")});
  CHECK(told(sim.run(layered(Redirect{}, empty)(request("GET")))) == "302");
}

TEST_CASE("redirect: the history says how the response was reached") {
  Sim sim;
  MockService mock(sim, {Step(303, Headers{{"Location", "/b"}}),
                         Step(301, Headers{{"Location", "http://o/"}}), Step(200)});
  const auto get_there = [&](Request request) {
    return sim.run(follow(Redirect{}, mock, std::move(request)));
  };
  Result<RedirectedResponse> got = get_there(request("POST", {}, "b"));
  REQUIRE(got);
  CHECK(got->response.status == 200);
  CHECK(got->url.text() == "http://o/");
  REQUIRE(got->history.size() == 2);
  CHECK(got->history[0].method == Method::post());
  CHECK(got->history[0].url.text() == "http://h/");
  CHECK(got->history[0].status == 303);
  CHECK(got->history[1].method == Method::get());
  CHECK(got->history[1].url.text() == "http://h/b");
  Result<RedirectedResponse> direct = get_there(request("GET"));
  CHECK(direct->history.empty());
  CHECK(direct->url.text() == "http://h/");
  MockService endless(sim, {Step(302, Headers{{"Location", "/"}})});
  CHECK(sim.run(follow(Redirect{}, endless, get("http://h/"))).error() == Errc::limit_exceeded);
}

TEST_CASE("redirect: an allowed hop from https to http tells nobody where it came from") {
  Sim sim;
  MockService mock(sim, {Step(302, Headers{{"Location", "http://h/"}}), Step(200)});
  Redirect redirect;
  redirect.allow_https_to_http = true;
  Request secure("GET", *Url::parse("https://h/"), Headers{{"Referer", "https://h/secret"}});
  CHECK(told(sim.run(layered(redirect, mock)(std::move(secure)))) == "200");
  CHECK(!mock.asked()[1].headers.has("referer"));
}
