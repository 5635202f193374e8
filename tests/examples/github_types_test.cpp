// The GitHub client's endpoints, one by one, with what servers do to them.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/body_sequence.h>
#include <escapement/timers/sleep.h>

#include "github/link_header.h"
#include "github_script.h"

using namespace escapement;
using namespace escapement::github;

namespace {

using Strings = std::vector<std::string>;

// Calls every endpoint on a server that responds alike to each. Returns the kinds of the outcomes; nothing
// for a success.
std::vector<std::optional<Errc>> outcomes(int status, const std::string& body, http::Headers headers = {}) {
  Sim sim;
  Script script;
  script.then(status, std::move(headers), body);
  const GitHub github(script.service(), impatient());
  std::vector<std::optional<Errc>> all;
  const auto note = [&](auto task) {
    const auto outcome = sim.run(std::move(task));
    all.push_back(outcome ? std::nullopt : std::optional(outcome.error().code()));
  };
  note(github.repository("o", "r"));
  note(all_of(github.repositories("o")));
  note(github.issue("o", "r", 1));
  note(all_of(github.issues("o", "r")));
  note(github.create_issue("o", "r", NewIssue("t")));
  note(github.change_issue("o", "r", 1, IssueChange()));
  note(all_of(github.comments("o", "r", 1)));
  note(github.comment("o", "r", 1, "b"));
  note(github.add_labels("o", "r", 1, {"a"}));
  note(all_of(github.search_issues("q")));
  note(all_of(github.search_repositories("q")));
  note(all_of(github.search_code("q")));
  note(all_of(github.releases("o", "r")));
  note(github.latest_release("o", "r"));
  note(github.release_by_tag("o", "r", "t"));
  note(github.create_release("o", "r", NewRelease("t")));
  note(all_of(github.assets("o", "r", 1)));
  note(github.upload_asset("o", "r", 1, "n", "text/plain", "bytes"));
  note(github.file("o", "r", "p"));
  note(all_of(github.folder("o", "r", "p")));
  note(github.write_file("o", "r", FileChange("p", "b", "m")));
  note(github.delete_file("o", "r", FileChange("p", "", "m")));
  note(github.rate_limits());
  note(github.graphql("{ viewer { login } }"));
  return all;
}

bool all_are(const std::vector<std::optional<Errc>>& all, Errc kind) {
  return std::all_of(all.begin(), all.end(), [&](const std::optional<Errc>& one) { return one == kind; });
}

// Returns what GitHub said to a call that it refused, as the observer heard it, and the failure.
struct Refused {
  std::optional<ApiError> why;
  std::optional<Error> error;
};
Refused refused(int status, const std::string& body, http::Headers headers = {}) {
  Sim sim;
  Script script;
  script.then(status, std::move(headers), body);
  Refused refused;
  const GitHub github =
      GitHub(script.service(), impatient()).observed([&](const ApiError& why) { refused.why = why; });
  const Result<Issue> issue = sim.run(github.create_issue("o", "r", NewIssue("t")));
  if (!issue) refused.error = issue.error();
  return refused;
}

std::string next_of(std::initializer_list<const char*> fields) {
  http::Headers headers;
  for (const char* const field : fields) headers.add("Link", field);
  return next_page(headers);
}

}  // namespace

TEST_CASE("github: issues, with their comments and labels") {
  Sim sim;
  Script script;
  const std::string issue = R"({"number": 7, "title": "T", "state": "open", "body": null, "user": null,
                                "labels": [{"name": "a"}, "b", 3, {}], "pull_request": {}})";
  script.then(200, issue).then(201, issue).then(200, issue);
  script.then(201, R"({"id": 1, "body": "B", "user": {"login": "me"}})")
      .then(200, R"([{"name": "a"}, {"name": "b"}])");
  const GitHub github(script.service(), impatient());
  const Issue read = *sim.run(github.issue("o", "r", 7));
  CHECK(read.number == 7);
  CHECK(read.body.empty());
  CHECK(read.author.empty());
  CHECK(read.labels == Strings{"a", "b"});
  CHECK(read.is_pull_request);
  NewIssue wanted("T \xff");  // no UTF-8: it becomes U+FFFD
  wanted.labels = {"a"};
  CHECK(sim.run(github.create_issue("o", "r", wanted)));
  IssueChange change;
  change.state = "closed";
  CHECK(sim.run(github.change_issue("o", "r", 7, change)));
  CHECK(sim.run(github.comment("o", "r", 7, "B"))->author == "me");
  CHECK(*sim.run(github.add_labels("o", "r", 7, {"a", "b"})) == Strings{"a", "b"});
  CHECK(script.asked == Strings{"GET /repos/o/r/issues/7",
                                "POST /repos/o/r/issues {\"labels\":[\"a\"],\"title\":\"T \xef\xbf\xbd\"}",
                                "PATCH /repos/o/r/issues/7 {\"state\":\"closed\"}",
                                "POST /repos/o/r/issues/7/comments {\"body\":\"B\"}",
                                "POST /repos/o/r/issues/7/labels {\"labels\":[\"a\",\"b\"]}"});
  CHECK(script.heads[0].get_or("Accept", "") == "application/vnd.github+json");
  CHECK(script.heads[1].get_or("Content-Type", "") == "application/json");
}

TEST_CASE(
    "github: releases, and their files, which go to an origin of their own with the token, or come from one "
    "without") {
  Sim sim;
  Script script;
  script.then(201, R"({"id": 5, "tag_name": "v1", "draft": true})")
      .then(201, R"({"id": 6, "name": "a b.txt", "size": 5})");
  script.then(302, http::Headers{{"Location", "https://store.test/x"}}, "").then(200, "hello").then(204, "");
  Settings settings = impatient();
  settings.stack.get_token = []() -> Task<std::string> { co_return "secret"; };
  const GitHub github(script.service(), settings);
  NewRelease release("v1");
  release.is_draft = true;
  CHECK(sim.run(github.create_release("o", "r", release))->is_draft);
  CHECK(sim.run(github.upload_asset("o", "r", 5, "a b.txt", "text/plain", "hello"))->size == 5);
  http::Response bytes = *sim.run(github.asset_bytes("o", "r", 6));
  CHECK(*sim.run(bytes.body.text(100)) == "hello");
  CHECK(sim.run(github.delete_asset("o", "r", 6)));
  CHECK(script.asked ==
        Strings{R"(POST /repos/o/r/releases {"draft":true,"prerelease":false,"tag_name":"v1"})",
                "POST /repos/o/r/releases/5/assets?name=a%20b.txt hello", "GET /repos/o/r/releases/assets/6",
                "GET /x", "DELETE /repos/o/r/releases/assets/6"});
  CHECK(script.origins == Strings{"https://api.github.com", "https://uploads.github.com",
                                  "https://api.github.com", "https://store.test", "https://api.github.com"});
  CHECK(script.heads[1].get_or("Authorization", "") == "Bearer secret");
  CHECK(script.heads[2].get_or("Accept", "") == "application/octet-stream");
  CHECK_FALSE(script.heads[3].has("Authorization"));
}

TEST_CASE("github: an upload has a time limit of its own") {
  Sim sim;
  const http::Service slow = [](http::Request) -> Task<http::Response> {
    co_await sleep(5min);
    co_return http::Response(201, R"({"id": 6, "name": "n"})");
  };
  Settings settings = impatient();
  CHECK(sim.run(GitHub(slow, settings).upload_asset("o", "r", 5, "n", "text/plain", "x")));
  CHECK(sim.run(GitHub(slow, settings).delete_asset("o", "r", 5)).error() == Errc::timed_out);
  settings.upload = 1min;
  CHECK(sim.run(GitHub(slow, settings).upload_asset("o", "r", 5, "n", "text/plain", "x")).error() ==
        Errc::timed_out);
}

TEST_CASE("github: a file that streams is uploaded once, whatever happens") {
  Sim sim;
  Script script;
  script.then(502, "");
  const GitHub github(script.service());
  http::Body body = http::Body([]() -> Generator<std::string> { co_yield std::string("piece"); }());
  CHECK(sim.run(github.upload_asset("o", "r", 5, "n", "text/plain", std::move(body))).error() ==
        Errc::unavailable);
  CHECK(script.asked.size() == 1);
}

TEST_CASE("github: contents: bytes, folders, commits") {
  Sim sim;
  Script script;
  script.then(
      200,
      R"({"type": "file", "name": "a.txt", "size": 5, "encoding": "base64", "content": "aGVs\nbG8=\n"})");
  script.then(200, R"([{"type": "dir", "name": "d"}])").then(200, R"([{"type": "file", "name": "a"}])");
  script.then(200, R"({"commit": {"sha": "c1"}})").then(200, R"({"commit": {"sha": "c2"}, "content": null})");
  const GitHub github(script.service(), impatient());
  const Content file = *sim.run(github.file("o", "r", "docs/a b.txt", "main"));
  CHECK(file.bytes == "hello");
  CHECK(file.size == 5);
  CHECK(sim.run(github.file("o", "r", "docs")).error() == Errc::invalid_argument);
  CHECK(sim.run(all_of(github.folder("o", "r", "docs")))->size() == 1);
  FileChange change("a.txt", "hello", "m");
  change.sha = "s";
  CHECK(*sim.run(github.write_file("o", "r", change)) == "c1");
  CHECK(*sim.run(github.delete_file("o", "r", change)) == "c2");
  CHECK(script.asked ==
        Strings{"GET /repos/o/r/contents/docs/a%20b.txt?ref=main", "GET /repos/o/r/contents/docs",
                "GET /repos/o/r/contents/docs",
                R"(PUT /repos/o/r/contents/a.txt {"content":"aGVsbG8=","message":"m","sha":"s"})",
                R"(DELETE /repos/o/r/contents/a.txt {"message":"m","sha":"s"})"});
}

TEST_CASE("github: searches, of which GitHub may give up one") {
  Sim sim;
  Script script;
  script.then(
      200,
      R"({"items": [{"path": "a.c", "repository": {"full_name": "o/r"}}], "incomplete_results": false})");
  script.then(200, R"({"items": [{"id": 1, "full_name": "o/r"}], "incomplete_results": true})");
  const GitHub github(script.service(), impatient());
  CHECK(sim.run(all_of(github.search_code("x y&z")))->at(0).repository == "o/r");
  CHECK(script.asked[0] == "GET /search/code?q=x%20y%26z");
  Generator<Repository> found = github.search_repositories("q");
  CHECK((*sim.run(found.next()))->full_name == "o/r");
  CHECK(sim.run(found.next()).error() == Errc::unavailable);
}

TEST_CASE("github: names stay in their place in the path") {
  Sim sim;
  Script script;
  script.then(200, R"({"id": 1, "full_name": "x"})");
  const GitHub github(script.service(), impatient());
  CHECK(sim.run(github.repository("a/b", "c?d#e")));
  CHECK(script.asked == Strings{"GET /repos/a%2Fb/c%3Fd%23e"});
  for (const char* const name : {"", ".", ".."}) {
    CHECK(sim.run(github.repository(name, "r")).error() == Errc::invalid_argument);
    CHECK(sim.run(github.repository("o", name)).error() == Errc::invalid_argument);
    CHECK(sim.run(all_of(github.repositories(name))).error() == Errc::invalid_argument);
  }
  for (const char* const path : {"../x", "a/../x", "a//b", "/a", "./a"}) {
    CHECK(sim.run(github.file_bytes("o", "r", path)).error() == Errc::invalid_argument);
  }
  CHECK(script.asked.size() == 1);
}

TEST_CASE(
    "github: a response that is not as documented is an error of every endpoint, and never the end of the "
    "program") {
  const std::string deep(100'000, '[');
  const std::string deep_object = [] {
    std::string text;
    for (int i = 0; i < 50'000; ++i) text += "{\"a\":";
    return text + "1" + std::string(50'000, '}');
  }();
  for (const std::string& body :
       {std::string(), std::string("["), std::string("7"), std::string("null"), std::string("\"x\""),
        std::string("<html>"), std::string("{\"id\": \"1\", \"number\": \"7\"}"), std::string("[[]]"),
        std::string("{\"items\": 7}"), std::string("{\"resources\": []}"), std::string("\xff\xfe"), deep}) {
    CAPTURE(body.substr(0, 20));
    const std::vector<std::optional<Errc>> all = outcomes(200, body);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CAPTURE(i);
      const bool is_folder = body == "[[]]" && all[i] == Errc::invalid_argument;
      CHECK((all[i] == Errc::bad_message || is_folder));
    }
  }
  CHECK(all_are(outcomes(200, deep_object), Errc::bad_message));
  CHECK(all_are(outcomes(200, R"({"id": 18446744073709551615, "full_name": "x", "number": 1e400})"),
                Errc::bad_message));
}

TEST_CASE("github: a member that is missing is named") {
  const auto fault = [](const char* text) { return Issue::from(*http::parse_json(text)).error().message(); };
  CHECK(fault(R"({"title": "t", "state": "open"})") == "the response has no number 'number'");
  CHECK(fault(R"({"number": 1, "title": null, "state": "open"})") == "the response has no text 'title'");
  CHECK(fault(R"({"number": 1, "title": "t", "state": "open", "body": 7})") ==
        "the response has no text 'body'");
  CHECK(fault(R"({"number": 1, "title": "t", "state": "open", "labels": 7})") ==
        "the response has no list 'labels'");
  CHECK(fault("[]") == "the response has a JSON array, no object");
  const Result<Repository> flag =
      Repository::from(*http::parse_json(R"({"id": 1, "full_name": "x", "private": "yes"})"));
  CHECK(flag.error().message() == "the response has no flag 'private'");
  CHECK(Quota::from(*http::parse_json(R"({"limit": 1, "remaining": 1, "reset": 9e18})")).error() ==
        Errc::bad_message);
  CHECK(Quota::from(*http::parse_json(R"({"limit": 1, "remaining": 1, "reset": 9000000000000000000})"))
            ->reset.rfc3339() == "9999-12-31T23:59:59.000Z");
}

TEST_CASE("github: a refusal is of the documented kind for every endpoint") {
  const std::string body = R"({"message": "M", "documentation_url": "https://docs.github.com/rest"})";
  const std::pair<int, Errc> kinds[] = {
      {400, Errc::invalid_argument},  {401, Errc::permission_denied}, {403, Errc::permission_denied},
      {404, Errc::not_found},         {408, Errc::unavailable},       {409, Errc::invalid_argument},
      {410, Errc::not_found},         {422, Errc::invalid_argument},  {429, Errc::unavailable},
      {451, Errc::permission_denied}, {500, Errc::unavailable},       {503, Errc::unavailable},
      {304, Errc::bad_message}};
  for (const auto& [status, kind] : kinds) {
    CAPTURE(status);
    CHECK(all_are(outcomes(status, body), kind));
    CHECK(all_are(outcomes(status, "<html>"), kind));
  }
}

TEST_CASE("github: what GitHub says about a refusal is a value") {
  const Refused invalid =
      refused(422, R"({"message": "Validation Failed", "documentation_url": "https://docs.github.com/x",
      "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"},
                 {"resource": "Issue", "code": "custom", "message": "too old"}]})",
              http::Headers{{"X-GitHub-Request-Id", "0:1"}});
  CHECK(invalid.why->status == 422);
  CHECK(invalid.why->message == "Validation Failed");
  CHECK(invalid.why->documentation_url == "https://docs.github.com/x");
  REQUIRE(invalid.why->errors.size() == 2);
  CHECK(invalid.why->errors[0].field == "title");
  CHECK(invalid.why->errors[0].code == "missing_field");
  CHECK(invalid.why->errors[1].message == "too old");
  CHECK(invalid.why->request_id == "0:1");
  CHECK_FALSE(invalid.why->is_limit);
  CHECK(invalid.error->message() ==
        "POST https://api.github.com/repos/o/r/issues: 422 Validation Failed (Issue.title: missing_field, "
        "Issue: too old)");
  CHECK(refused(404, R"({"message": "Not Found"})").error->message() ==
        "POST https://api.github.com/repos/o/r/issues: 404 Not Found");
  CHECK(refused(502, "<html>").error->message() ==
        "POST https://api.github.com/repos/o/r/issues: 502 Bad Gateway");

  CHECK(refused(422, R"({"message": "M", "errors": ["one", "two"]})")
            .error->message()
            .ends_with("422 M (one, two)"));
  CHECK(refused(422, R"({"message": "M", "errors": "one"})").error->message().ends_with("422 M (one)"));
  CHECK(refused(422, R"({"errors": [{"message": "one"}]})").why->message == "one");
  CHECK(refused(422, R"({"message": 7, "errors": {"a": 1}, "documentation_url": null})").why->errors.empty());
  CHECK(refused(422, R"({"message": "M", "errors": [7, null, [], {"field": 7}]})").why->errors.size() == 4);
  CHECK(refused(422, "{\"message\": \"a\\nb\\u001b[31m\"}").error->message().ends_with("422 a b [31m"));
  CHECK(refused(422, "{\"message\": \"" + std::string(2000, 'x') + "\"}").error->message().size() < 600);
}

TEST_CASE("github: a limit is told from a refusal for good, and says how long it lasts") {
  const http::Headers wait{{"Retry-After", "30"}};
  const http::Headers used{{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                           {"X-RateLimit-Remaining", "0"},
                           {"X-RateLimit-Reset", "784111807"}};
  CHECK(refused(403, "{}", wait).why->wait == Duration(30s));
  CHECK(refused(403, "{}", wait).error == Errc::unavailable);
  CHECK(refused(429, "{}", used).why->wait == Duration(30s));
  CHECK(refused(403, "{}", used).why->is_limit);
  CHECK(refused(403, R"({"message": "You have exceeded a secondary rate limit."})").why->is_limit);
  CHECK(refused(403, R"({"message": "You have triggered an abuse detection mechanism."})").error ==
        Errc::unavailable);
  CHECK_FALSE(refused(403, R"({"message": "Resource not accessible by integration"})",
                      http::Headers{{"X-RateLimit-Remaining", "10"}})
                  .why->is_limit);
  CHECK_FALSE(refused(404, "{}", http::Headers{{"X-RateLimit-Remaining", "0"}}).why->is_limit);
}

TEST_CASE("github: the next page, in the forms of RFC 8288") {
  CHECK(next_of({}) == "");
  CHECK(next_of({R"(<https://h/2>; rel="next", <https://h/9>; rel="last")"}) == "https://h/2");
  CHECK(next_of({R"(<https://h/1>; rel="prev",<https://h/2>;rel="next")"}) == "https://h/2");
  CHECK(next_of({"<https://h/2>; rel=next"}) == "https://h/2");
  CHECK(next_of({"<https://h/2> ; REL = Next"}) == "https://h/2");
  CHECK(next_of({R"(<https://h/2>; rel="last next")"}) == "https://h/2");
  CHECK(next_of({R"(<https://h/1>; rel="prev")", R"(<https://h/2>; rel="next")"}) == "https://h/2");
  CHECK(next_of({R"(, ,<https://h/2?a=1,2;3>; rel="next")"}) == "https://h/2?a=1,2;3");
  CHECK(
      next_of(
          {R"(<https://h/1>; title="x, <https://h/3>; rel=\"next\""; rel="prev", <?page=2>; rel="next")"}) ==
      "?page=2");
  CHECK(next_of({R"(<https://h/1>; rel="prev"; rel="next")"}) == "");
  CHECK(next_of({R"(<https://h/1>; rel="nextish", <https://h/2>; rel="xnext")"}) == "");
  CHECK(next_of({R"(<https://h/1>; rel="next"; anchor="#x")"}) == "");
  CHECK(next_of({R"(<https://h/1>; crossorigin; rel="next")"}) == "https://h/1");
  for (const char* const broken :
       {"<https://h/2", "https://h/2; rel=next", "<>", "<x>; rel=\"next", "<x>; rel", "<x> y; rel=next", ";",
        "<x>;;;", "<x>; rel=\"", "<x>; rel=\"\\"}) {
    CAPTURE(broken);
    const std::string found = next_of({broken});
    CHECK((found.empty() || found == "x"));
  }
}

TEST_CASE("github: pages are asked for when they are wanted, and not before") {
  Sim sim;
  Script script;
  const std::string issue = R"({"number": 1, "title": "t", "state": "open"})";
  script.then(200,
              http::Headers{{"Link", R"(<https://api.github.com/first>; rel="prev", <?page=2>; rel="next")"}},
              '[' + issue + ',' + issue + ']');
  script.then(200, http::Headers{{"Link", R"(<https://api.github.com/x?page=3>; rel="next")"}}, "[]");
  script.then(200, '[' + issue + ",7]");
  const GitHub github(script.service(), impatient());
  IssueFilter filter;
  filter.state = "all";
  filter.labels = "a,b";
  Generator<Issue> issues = github.issues("o", "r", filter);
  CHECK(script.asked.empty());
  CHECK(sim.run(issues.next()));
  CHECK(sim.run(issues.next()));
  CHECK(script.asked == Strings{"GET /repos/o/r/issues?state=all&labels=a%2Cb&per_page=100"});
  CHECK((*sim.run(issues.next()))->number == 1);
  CHECK(script.asked.back() == "GET /x?page=3");
  CHECK(script.asked[1] == "GET /repos/o/r/issues?page=2");
  CHECK(sim.run(issues.next()).error() == Errc::bad_message);
}

TEST_CASE("github: pages that go round in a circle, to another origin, or nowhere, are an error") {
  const auto outcome = [](const char* link) {
    Sim sim;
    Script script;
    script.then(200, http::Headers{{"Link", link}}, R"([{"id": 1, "tag_name": "v"}])");
    const GitHub github(script.service(), impatient());
    Generator<Release> releases = github.releases("o", "r");
    int found = 0;
    for (;;) {
      Result<std::optional<Release>> next = sim.run(releases.next());
      if (!next)
        return std::to_string(found) + ' ' + std::string(name(next.error().code())) + ' ' +
               std::to_string(script.asked.size());
      if (!*next) return std::to_string(found);
      ++found;
    }
  };
  CHECK(outcome("<https://api.github.com/repos/o/r/releases>; rel=\"next\"") == "1 bad_message 1");
  CHECK(outcome("<https://api.github.com/p2>; rel=\"next\"") == "2 bad_message 2");
  CHECK(outcome("<https://evil.test/p2>; rel=\"next\"") == "0 bad_message 1");
  CHECK(outcome("<http://api.github.com/p2>; rel=\"next\"") == "0 bad_message 1");
  CHECK(outcome("<javascript:x>; rel=\"next\"") == "0 bad_message 1");
  CHECK(outcome("<>; rel=\"prev\"") == "1");
}

TEST_CASE("github: a list of too many pages ends") {
  Sim sim;
  int asked = 0;
  const http::Service endless = [&](http::Request) -> Task<http::Response> {
    const std::string link = "</p" + std::to_string(++asked) + ">; rel=\"next\"";
    co_return http::Response(200, http::Headers{{"Link", link}}, "[]");
  };
  Settings settings = impatient();
  settings.stack.queue.points_a_minute = 1'000'000;
  const GitHub github(endless, settings);
  CHECK(sim.run(all_of(github.releases("o", "r"))).error() == Errc::limit_exceeded);
  CHECK(asked == 10'000);
}

TEST_CASE("github: a renamed repository is found by its old name, also by a POST") {
  Sim sim;
  Script script;
  script.then(301, http::Headers{{"Location", "https://api.github.com/repositories/1"}},
              R"({"message": "Moved Permanently"})");
  script.then(200, R"({"id": 1, "full_name": "new/name"})");
  script.then(307, http::Headers{{"Location", "https://api.github.com/repositories/1/issues"}}, "");
  script.then(201, R"({"number": 1, "title": "t", "state": "open"})");
  script.then(301, http::Headers{{"Location", "https://api.github.com/a"}}, "");
  const GitHub github(script.service(), impatient());
  CHECK(sim.run(github.repository("old", "name"))->full_name == "new/name");
  CHECK(sim.run(github.create_issue("old", "name", NewIssue("t")))->number == 1);
  CHECK(script.asked[3] == R"(POST /repositories/1/issues {"title":"t"})");
  CHECK(sim.run(github.repository("old", "name")).error() == Errc::limit_exceeded);  // round and round
  Script method;  // a 301 makes a GET of a POST: it reads the list, and makes nothing
  method.then(301, http::Headers{{"Location", "https://api.github.com/repositories/1/issues"}}, "")
      .then(200, "[]");
  CHECK(sim.run(GitHub(method.service(), impatient()).create_issue("old", "name", NewIssue("t"))).error() ==
        Errc::bad_message);
  CHECK(method.asked[1] == "GET /repositories/1/issues");
  Script away;
  away.then(301, http::Headers{{"Location", "https://other.test/x"}}, "")
      .then(200, R"({"id": 1, "full_name": "x"})");
  Settings settings = impatient();
  settings.stack.get_token = []() -> Task<std::string> { co_return "secret"; };
  CHECK(sim.run(GitHub(away.service(), settings).repository("o", "r")));
  CHECK(away.heads[0].has("Authorization"));
  CHECK_FALSE(away.heads[1].has("Authorization"));
}

TEST_CASE("github: GraphQL: data, a part of it, and errors by their kinds") {
  Sim sim;
  const auto asked = [&](const char* body) {
    Script script;
    script.then(200, body);
    return sim.run(GitHub(script.service(), impatient()).graphql("query { viewer { login } }"));
  };
  CHECK((*asked(R"({"data": {"viewer": {"login": "me"}}})"))["viewer"]["login"] == "me");
  CHECK(asked(R"({"errors": [{"type": "RATE_LIMITED", "message": "x"}]})").error() == Errc::unavailable);
  CHECK(asked(R"({"errors": [{"message": "Something went wrong while executing your query."}]})").error() ==
        Errc::unavailable);
  CHECK(asked(R"({"errors": [{"type": "NOT_FOUND", "message": "x"}]})").error() == Errc::not_found);
  CHECK(asked(R"({"errors": [{"type": "FORBIDDEN", "message": "x"}]})").error() == Errc::permission_denied);
  CHECK(asked(R"({"errors": [{"message": "Field 'x' doesn't exist"}]})").error().message() ==
        "GraphQL: Field 'x' doesn't exist");
  for (const char* const body : {"{}", "[]", R"({"errors": []})", R"({"errors": "x"})"})
    CHECK(asked(body).error() == Errc::bad_message);
  CHECK(asked(R"({"data": null, "errors": [7]})").error() == Errc::invalid_argument);

  Script script;
  script.then(200,
              R"({"data": {"a": {"name": "r"}, "b": null},
              "errors": [{"type": "NOT_FOUND", "message": "M", "path": ["b", 0, "x"]}]})");
  const GitHub github(script.service(), impatient());
  const std::string query = "query($n: Int) { a { name } b { name } }";
  const GraphQlAnswer part = *sim.run(github.graphql_answer(query, Json{{"n", 1}}));
  CHECK(part.data["a"]["name"] == "r");
  CHECK(part.data["b"].is_null());
  REQUIRE(part.errors.size() == 1);
  CHECK(part.errors[0].kind() == Errc::not_found);
  CHECK(part.errors[0].path == "b.0.x");
  CHECK(sim.run(github.graphql(query)).error() == Errc::not_found);
  CHECK(script.asked[0] ==
        R"(POST /graphql {"query":"query($n: Int) { a { name } b { name } }","variables":{"n":1}})");
}

TEST_CASE("github: an Enterprise server has its paths below another base") {
  Sim sim;
  Script script;
  script.then(200, R"({"id": 1, "full_name": "x", "data": {}, "name": "a"})");
  Settings settings = impatient();
  settings.stack.base = "https://ghe.test/api/v3/";
  settings.uploads = "https://ghe.test/api/uploads/";
  const GitHub github(script.service(), settings);
  CHECK(sim.run(github.repository("o", "r")));
  CHECK(sim.run(github.graphql("{ x }")));
  CHECK(sim.run(github.upload_asset("o", "r", 1, "a", "text/plain", "x")));
  CHECK(script.asked[0] == "GET /api/v3/repos/o/r");
  CHECK(script.asked[1].starts_with("POST /api/graphql "));
  CHECK(script.asked[2] == "POST /api/uploads/repos/o/r/releases/1/assets?name=a x");
}
