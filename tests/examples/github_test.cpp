// The GitHub client, in simulated time: GitHub's recorded responses (@octokit/fixtures) with faults, limits,
// tokens, and the cache. A live test runs where GITHUB_TOKEN is set.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/generator.h>
#include <escapement/io/http/client.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/sim/sim.h>
#include <escapement/io/tls/tls.h>
#include <escapement/middleware/client/bearer_auth.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

#include "github/app_token.h"
#include "github/base64.h"
#include "github/etag_cache.h"
#include "github/github.h"
#include "github/rs256.h"
#include "support/mock_service.h"
#include "tools/serve/fixture_service.h"

using namespace escapement;
using namespace escapement::github;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

// Reads a generator to its end.
template <class T>
Task<std::vector<T>> all_of(Generator<T> generator) {
  std::vector<T> all;
  for (;;) {
    std::optional<T> next = co_await generator.next();
    if (!next) co_return std::move(all);
    all.push_back(*std::move(next));
  }
}

// A layer that makes the whole body part of the attempt, so that a broken one is retried.
struct WholeBody {
  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    http::Response response = co_await next(std::move(request));
    std::string body = co_await response.body.text(1 * MiB);
    co_return http::Response(response.status, std::move(response.headers), std::move(body));
  }
};

http::Service patient(http::Service service) {
  http::Retry retry;
  retry.attempts = 4;
  return http::layered(http::Redirect{}, retry, http::Timeout{1s}, WholeBody{}, std::move(service));
}

// GitHub as it was recorded; empty: the recordings are not installed.
std::optional<http::Service> recorded() {
  Result<std::vector<demo::Recording>> recordings = demo::load_recordings(ESC_FIXTURES);
  if (!recordings) return std::nullopt;
  return demo::fixture_service(*std::move(recordings));
}

// Responds to the n-th request with the n-th text, or the last one.
struct Script {
  std::vector<http::Response> responses;
  std::vector<std::string> asked;

  http::Service service() {
    return [this](http::Request request) -> Task<http::Response> {
      std::string body = co_await request.body.text(1 * MiB);
      asked.push_back(std::string(request.method.text()) + ' ' + request.url.target() + ' ' +
                      std::string(request.headers.get_or("Authorization", "-")) + ' ' +
                      std::string(request.headers.get_or("If-None-Match", "-")) +
                      (body.empty() ? "" : ' ' + body));
      const http::Response& next = responses.at(std::min(asked.size(), responses.size()) - 1);
      co_return http::Response(next.status, next.headers, std::string(next.body.bytes()));
    };
  }
};

std::string key_in_pem() {
  const auto file =
      std::filesystem::temp_directory_path() / ("esc-github-" + std::to_string(::getpid()) + ".pem");
  const std::string command = "openssl genrsa -traditional -out " + file.string() + " 2048 2>/dev/null";
  if (std::system(command.c_str()) != 0) return {};
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  return text.str();
}

}  // namespace

TEST_CASE("github: recorded responses, with faults on the way") {
  const std::optional<http::Service> service = recorded();
  if (!service) SKIP("skipped: @octokit/fixtures is not installed (tools/setup)");
  Sim sim;
  const GitHub github(patient(*service), "http://api.test/run-1");
  const std::string org = "octokit-fixture-org";

  const Repository repository = *sim.run(github.repository(org, "hello-world"));
  CHECK(repository.full_name == "octokit-fixture-org/hello-world");
  CHECK(repository.default_branch.size() > 0);
  CHECK(sim.run(github.repository(org, "rename-repository"))->full_name ==
        "octokit-fixture-org/rename-repository-newname");

  // A stall, two of 503, a 429 and two broken connections are on the way.
  const std::vector<Issue> issues = *sim.run(all_of(github.issues(org, "paginate-issues", 3)));
  CHECK(issues.size() == 13);
  CHECK(issues.front().title.size() > 0);
  CHECK(issues.front().state == "open");
  CHECK(sim.elapsed() > 3s);

  CHECK(*sim.run(github.file_bytes(org, "hello-world", "README.md")) == "# hello-world");
  CHECK(sim.run(all_of(github.folder(org, "hello-world", "")))->at(0).name == "README.md");
  CHECK(sim.run(github.file(org, "hello-world", "")).error() == Errc::invalid_argument);
  CHECK(sim.run(github.repository(org, "no-such")).error() == Errc::not_found);

  CHECK(sim.run(all_of(github.search_issues("sesame repo:octokit-fixture-org/search-issues")))->size() == 2);
  const Release release = *sim.run(github.release_by_tag(org, "release-assets", "v1.0.0"));
  CHECK(release.tag == "v1.0.0");
  CHECK(sim.run(all_of(github.assets(org, "release-assets", release.id)))->at(0).size > 0);

  NewIssue issue;
  issue.title = "Issue without a label";
  CHECK(sim.run(github.create_issue(org, "add-labels-to-issue", issue))->number == 1);
  CHECK(sim.run(github.add_labels(org, "add-labels-to-issue", 1, {"Foo", "bAr", "baZ"}))->size() == 3);
  CHECK(
      sim.run(github.write_file(org, "create-file", "test.txt", "Test content", "create test.txt"))->size() ==
      40);
}

TEST_CASE("github: a file with its bytes") {
  Sim sim;
  Script script;
  script.responses.push_back(
      http::Response(200, R"({"type": "file", "name": "a.txt", "size": 5, "encoding": "base64",
                              "content": "aGVs\nbG8=\n"})"));
  const GitHub github(script.service());
  const Content file = *sim.run(github.file("o", "r", "docs/a.txt", "main"));
  CHECK(file.bytes == "hello");
  CHECK(file.size == 5);
  CHECK(script.asked == std::vector<std::string>{"GET /repos/o/r/contents/docs/a.txt?ref=main - -"});
}

TEST_CASE("github: pages are asked for when they are wanted, and not before") {
  Sim sim;
  Script script;
  script.responses.push_back(http::Response(
      200,
      http::Headers{
          {"Link",
           "<https://api.github.com/first>; rel=\"prev\", <https://api.github.com/p2>; rel=\"next\""}},
      R"([{"number": 1}, {"number": 2, "labels": [{"name": "a"}, "b"], "user": {"login": "me"},
          "pull_request": {}}])"));
  script.responses.push_back(http::Response(200, R"([{"number": 3}, 7])"));
  const GitHub github(script.service());
  Generator<Issue> issues = github.issues("o", "r");
  CHECK(script.asked.empty());
  CHECK((*sim.run(issues.next()))->number == 1);
  const Issue second = **sim.run(issues.next());
  CHECK(second.labels == std::vector<std::string>{"a", "b"});
  CHECK(second.author == "me");
  CHECK(second.is_pull_request);
  CHECK(script.asked == std::vector<std::string>{"GET /repos/o/r/issues?per_page=100 - -"});
  CHECK((*sim.run(issues.next()))->number == 3);
  CHECK(script.asked.back() == "GET /p2 - -");
}

TEST_CASE("github: what is not as documented is an error, or nothing, and never the end of the program") {
  Sim sim;
  for (const char* body : {"", "[", "7", "null", "\"x\"", "[[]]", R"({"full_name": 7, "id": "x"})"}) {
    Script script;
    script.responses.push_back(http::Response(200, body));
    const GitHub github(script.service());
    static_cast<void>(sim.run(github.repository("o", "r")));
    static_cast<void>(sim.run(all_of(github.issues("o", "r"))));
    static_cast<void>(sim.run(github.rate_limit()));
    static_cast<void>(sim.run(github.graphql("{}")));
  }
  CHECK(true);
}

TEST_CASE("github: a rate limit, and errors of GraphQL by their kinds") {
  Sim sim;
  Script script;
  script.responses.push_back(http::Response(
      200, R"({"resources": {"core": {"limit": 5000, "remaining": 4999, "reset": 1372700873}}})"));
  CHECK(sim.run(GitHub(script.service()).rate_limit())->remaining == 4999);
  const auto graphql = [&](const char* body) {
    Script one;
    one.responses.push_back(http::Response(200, body));
    return sim.run(GitHub(one.service()).graphql("query { viewer { login } }"));
  };
  CHECK((*graphql(R"({"data": {"viewer": {"login": "me"}}})"))["viewer"]["login"] == "me");
  CHECK(graphql(R"({"errors": [{"type": "RATE_LIMITED", "message": "x"}]})").error() == Errc::unavailable);
  CHECK(graphql(R"({"errors": [{"message": "Something went wrong while executing your query."}]})").error() ==
        Errc::unavailable);
  CHECK(graphql(R"({"errors": [{"type": "NOT_FOUND", "message": "x"}]})").error() == Errc::not_found);
  CHECK(graphql(R"({"errors": [{"type": "FORBIDDEN", "message": "x"}]})").error() == Errc::permission_denied);
  CHECK(graphql(R"({"errors": [{"message": "Field 'x' doesn't exist"}]})").error().message() ==
        "GraphQL: Field 'x' doesn't exist");
}

TEST_CASE("github: a 304 is the response that was kept, for the same credentials alone") {
  Sim sim;
  Script script;
  script.responses.push_back(http::Response(200, http::Headers{{"ETag", "\"1\""}}, R"({"id": 1})"));
  script.responses.push_back(
      http::Response(304, http::Headers{{"ETag", "\"1\""}, {"X-RateLimit-Remaining", "7"}}, ""));
  script.responses.push_back(http::Response(200, http::Headers{{"ETag", "\"2\""}}, R"({"id": 2})"));
  script.responses.push_back(http::Response(304, ""));
  const http::Service api = http::layered(EtagCache(), script.service());
  const GitHub github(api);
  for (const std::int64_t id : {1, 1, 2, 2}) CHECK(sim.run(github.repository("o", "r"))->id == id);
  CHECK(script.asked == std::vector<std::string>{"GET /repos/o/r - -", "GET /repos/o/r - \"1\"",
                                                 "GET /repos/o/r - \"1\"", "GET /repos/o/r - \"2\""});
  http::Request other = http::get("https://api.github.com/repos/o/r");
  other.headers.set("Authorization", "Bearer other");
  CHECK(sim.run(api(std::move(other)))->status == 304);
  CHECK(script.asked.back() == "GET /repos/o/r Bearer other -");

  Script small;
  small.responses.push_back(
      http::Response(200, http::Headers{{"ETag", "\"1\""}}, std::string(3000, ' ') + "{}"));
  const GitHub little(http::layered(EtagCache(5000), small.service()));
  for (const char* name : {"a", "b", "a"}) CHECK(sim.run(little.repository("o", name)));
  CHECK(small.asked.back() == "GET /repos/o/a - -");
}

TEST_CASE("github: one installation token for all calls, and another one after a 401") {
  Sim sim;
  int minted = 0;
  std::string accepted = "t1";
  std::vector<std::string> jwts;
  const http::Service service = [&](http::Request request) -> Task<http::Response> {
    const std::string authorization(request.headers.get_or("Authorization", ""));
    if (request.url.path() == "/app/installations/7/access_tokens") {
      jwts.push_back(authorization);
      co_return http::Response(201, "{\"token\": \"t" + std::to_string(++minted) + "\"}");
    }
    if (authorization != "Bearer " + accepted) co_return http::Response(401, "{}");
    co_return http::Response(200, R"({"id": 1})");
  };
  App app;
  app.id = "app";
  app.sign = [](std::string bytes) -> Task<std::string> {
    co_return "signed " + std::to_string(bytes.size());
  };
  http::BearerAuthOptions options;
  options.origin = "https://api.github.com";
  options.get_token = installation_tokens(service, "https://api.github.com", app, 7);
  const GitHub github(http::layered(http::BearerAuth(options), service));
  for (int i = 0; i < 3; ++i) CHECK(sim.run(github.repository("o", "r"))->id == 1);
  CHECK(minted == 1);
  accepted = "t2";
  CHECK(sim.run(github.repository("o", "r"))->id == 1);
  CHECK(minted == 2);
  const std::string jwt = jwts.front().substr(7);
  const std::size_t first = jwt.find('.');
  const std::size_t second = jwt.find('.', first + 1);
  CHECK(from_base64(jwt.substr(0, first)) == R"({"alg":"RS256","typ":"JWT"})");
  const http::Json claims = *http::parse_json(from_base64(jwt.substr(first + 1, second - first - 1)));
  CHECK(claims["exp"].get<int>() - claims["iat"].get<int>() == 600);
  CHECK(claims["iss"] == "app");
}

TEST_CASE("github: RS256 signatures verify by openssl") {
  const std::string pem = key_in_pem();
  if (pem.empty()) SKIP("skipped: no openssl");
  Sim sim;
  const Sign sign = *rs256(pem);
  const std::string signature = *sim.run(sign("text"));
  CHECK(signature.size() == 256);
  CHECK(*sim.run(sign("text")) == signature);  // PKCS #1 v1.5 has no randomness
  CHECK(*sim.run(sign("other")) != signature);
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  const std::string base = (folder / ("esc-rs256-" + std::to_string(::getpid()))).string();
  std::ofstream(base + ".key") << pem;
  std::ofstream(base + ".sig", std::ios::binary) << signature;
  std::ofstream(base + ".txt") << "text";
  const std::string command = "openssl dgst -sha256 -prverify " + base + ".key -signature " + base + ".sig " +
                              base + ".txt > /dev/null";
  CHECK(std::system(command.c_str()) == 0);
  for (const char* end : {".key", ".sig", ".txt"}) std::filesystem::remove(base + end);
  CHECK(rs256("nonsense").error() == Errc::invalid_argument);
}

TEST_CASE("github: base64 in both alphabets") {
  CHECK(to_base64("") == "");
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foo") == "Zm9v");
  CHECK(to_base64("\xfb\xff") == "+/8=");
  CHECK(to_base64url("\xfb\xff") == "-_8");
  CHECK(from_base64("Zm9v\nYmFy\n") == "foobar");
  CHECK(from_base64("-_8") == "\xfb\xff");
}

TEST_CASE("github: live") {
  const char* const token = std::getenv("GITHUB_TOKEN");
  if (token == nullptr) SKIP("skipped: GITHUB_TOKEN is not set");
  Loop loop;
  http::ClientOptions client;
  client.encrypt = http::Encrypt(*TlsClient::make());
  http::BearerAuthOptions options;
  options.origin = "https://api.github.com";
  options.get_token = [token]() -> Task<std::string> { co_return token; };
  const GitHub github(http::layered(http::BearerAuth(options), http::Client(loop.network(), client)));
  const Result<Repository> repository = loop.run(github.repository("octocat", "Hello-World"));
  if (!repository && repository.error() == Errc::not_found) SKIP("skipped: no network");
  CHECK(repository->full_name == "octocat/Hello-World");
}
