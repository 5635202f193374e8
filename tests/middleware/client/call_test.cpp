// Calls: what is sent, what statuses become, and every mistake.

#include <escapement/middleware/client/call.h>

#include <catch2/catch_test_macros.hpp>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

TEST_CASE("call: one line for each method, relative to a base") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Calls api(mock, "https://h/v1/");
  CHECK(*sim.run(api.get("a").text()) == "answer 1");
  CHECK(sim.run(api.head("a").nothing()));
  CHECK(sim.run(api.post("/a").body("x", "text/plain").nothing()));
  CHECK(sim.run(api.put("a?b").query("c", "d e").query("n", 7).nothing()));
  CHECK(sim.run(api.patch("https://other/z").form(Query{{"a", "1"}}).nothing()));
  CHECK(sim.run(api.delete_("a").nothing()));
  const auto asked = [&](std::size_t at) { return mock.asked().at(at).what; };
  CHECK(asked(0) == "GET https://h/v1/a");
  CHECK(asked(1) == "HEAD https://h/v1/a");
  CHECK(asked(2) == "POST https://h/a x");
  CHECK(asked(3) == "PUT https://h/v1/a?b&c=d%20e&n=7");
  CHECK(asked(4) == "PATCH https://other/z a=1");
  CHECK(asked(5) == "DELETE https://h/v1/a");
  CHECK(mock.asked()[2].headers.get_or("Content-Type", "") == "text/plain");
  CHECK(mock.asked()[4].headers.get_or("Content-Type", "") == "application/x-www-form-urlencoded");
}

TEST_CASE("call: header fields, credentials and a form of parts") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Calls api(mock);
  CHECK(sim.run(api.get("http://h/").header("X", "1").header("x", "2").bearer("t").nothing()));
  CHECK(sim.run(api.get("http://h/").basic("u", "p").nothing()));
  Multipart parts;
  parts.field("a", "1");
  CHECK(sim.run(api.post("http://h/").form(std::move(parts)).nothing()));
  CHECK(mock.asked()[0].headers.get_or("X", "") == "2");
  CHECK(mock.asked()[0].headers.count("X") == 1);
  CHECK(mock.asked()[0].headers.get_or("Authorization", "") == "Bearer t");
  CHECK(mock.asked()[1].headers.get_or("Authorization", "") == "Basic dTpw");
  CHECK(mock.asked()[2].headers.get_or("Content-Type", "").starts_with("multipart/form-data; boundary="));
  CHECK(mock.asked()[2].what.find("name=\"a\"") != std::string::npos);
}

TEST_CASE("call: a status that is no success is an error of its kind, unless it is asked for") {
  struct Row {
    int status;
    Errc kind;
  };
  for (const Row& row :
       {Row{400, Errc::invalid_argument}, Row{401, Errc::permission_denied},
        Row{403, Errc::permission_denied}, Row{404, Errc::not_found}, Row{407, Errc::permission_denied},
        Row{408, Errc::unavailable}, Row{409, Errc::invalid_argument}, Row{410, Errc::not_found},
        Row{422, Errc::invalid_argument}, Row{429, Errc::unavailable}, Row{500, Errc::unavailable},
        Row{503, Errc::unavailable}, Row{302, Errc::bad_message}}) {
    Sim sim;
    MockService mock(sim, {Step(row.status)});
    const Calls api(mock);
    const Result<std::string> text = sim.run(api.get("http://u:p@h/x").text());
    REQUIRE_FALSE(text);
    CHECK(text.error() == row.kind);
    CHECK(text.error().message() == "GET http://h/x: " + std::to_string(row.status) + ' ' +
                                        std::string(reason_phrase(row.status)) + ": answer 1");
    CHECK(sim.run(api.get("http://h/x").send())->status == row.status);
    CHECK(*sim.run(api.get("http://h/x").any_status().text()) == "answer 3");
  }
}

TEST_CASE("call: what an error quotes is readable and short") {
  Sim sim;
  const auto error_of = [&](Body body) {
    return sim.run(fail_by_status("GET x", Response(500, std::move(body)))).error().message();
  };
  CHECK(error_of("one\ntwo") == "GET x: 500 Internal Server Error: one");
  CHECK(error_of("\x1b[31m") == "GET x: 500 Internal Server Error: ?[31m");
  CHECK(error_of("") == "GET x: 500 Internal Server Error");
  CHECK(error_of(std::string(5000, 'x')).size() == 32 + 2 + 200);
  CHECK(error_of(escapement::test::pieces({"a"}, {}, true)) == "GET x: 500 Internal Server Error");
}

TEST_CASE("call: a limit of the whole call covers the body") {
  Sim sim;
  const auto slow = [](Request) -> Task<Response> {
    co_return Response(200, escapement::test::pieces({"a", "b"}, 400ms));
  };
  const Calls api(slow);
  CHECK(*sim.run(api.get("http://h/").timeout(2s).text()) == "ab");
  const Result<std::string> late = sim.run(api.get("http://h/").timeout(500ms).text());
  REQUIRE_FALSE(late);
  CHECK(late.error() == Errc::timed_out);
  CHECK(late.error().limit() == TimeLimit::overall);
  CHECK(sim.run(api.get("http://h/").timeout(500ms).send())->status == 200);
}

TEST_CASE("call: mistakes are reported when it is sent, and nothing leaves") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  const Calls api(mock);
  const auto refused = [&](Task<std::string> task) {
    return sim.run(std::move(task)).error() == Errc::invalid_argument;
  };
  CHECK(refused(api.get("no url").text()));
  CHECK(refused(api.get("").text()));
  CHECK(refused(Calls(mock, "ftp://h/").get("a").text()));
  CHECK(refused(api.post("http://h/").body("a", "").body("b", "").text()));
  CHECK(refused(api.get("http://h/").timeout(Duration()).text()));
  CHECK(refused(api.get("http://h/").basic("a:b", "").text()));
  CHECK(refused(api.post("http://h/").form(Multipart()).text()));
  CHECK(mock.asked().empty());
  Call once = api.get("http://h/");
  CHECK(sim.run(once.text()));
  CHECK(refused(once.text()));
  CHECK(sim.run(api.get("http://h/").text(3)).error() == Errc::limit_exceeded);
}

TEST_CASE("call: the task owns what it needs") {
  Sim sim;
  MockService mock(sim, {Step(200)});
  std::optional<Task<std::string>> task;
  {
    const Calls api(mock, "http://h/");
    task.emplace(api.get(std::string("a")).header("X", std::string("y")).text());
  }
  CHECK(*sim.run(*std::move(task)) == "answer 1");
}
