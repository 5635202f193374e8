// GitHub's rules, in simulated time: limits, tokens, the cache, and what is repeated. Nothing is sent before
// the time that the server has named, and a 304 costs no quota.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/fault_injection.h>
#include <escapement/middleware/client/retry.h>

#include "github/app_token.h"
#include "github/base64.h"
#include "github/fake_github.h"
#include "github_script.h"

using namespace escapement;
using namespace escapement::github;

namespace {

using Strings = std::vector<std::string>;

// Responds to every request as a repository with an ETag.
Task<http::Response> repository_of(http::Request request) {
  co_return http::Response(200, http::Headers{{"ETag", "\"" + request.url.path() + "\""}},
                           R"({"id": 1, "full_name": "o/r", "number": 1, "title": "t", "state": "open"})");
}

http::Service faulty(const FakeGitHub& fake) { return http::layered(fake, repository_of); }

FakeGitHub fake_with(std::vector<FakeFault> faults, Duration wait = 30s) {
  FakeGitHubOptions options;
  options.faults = std::move(faults);
  options.wait = wait;
  return FakeGitHub(options);
}

// Reads a repository through faults. Returns how long that took, and says how many requests it were.
Duration read_through(std::vector<FakeFault> faults, int requests, Duration wait = 30s) {
  Sim sim;
  const FakeGitHub fake = fake_with(std::move(faults), wait);
  const GitHub github(faulty(fake));
  CHECK(sim.run(github.repository("o", "r")));
  CHECK(fake.log().early == 0);
  CHECK(fake.log().requests == requests);
  return sim.elapsed();
}

// Makes an issue through faults. Returns the kind of the outcome; nothing for a success.
std::optional<Errc> made_through(std::vector<FakeFault> faults, int requests) {
  Sim sim;
  const FakeGitHub fake = fake_with(std::move(faults));
  const GitHub github(faulty(fake));
  const Result<Issue> made = sim.run(github.create_issue("o", "r", NewIssue("t")));
  CHECK(fake.log().early == 0);
  CHECK(fake.log().requests == requests);
  return made ? std::nullopt : std::optional(made.error().code());
}

// Asks GraphQL through faults.
std::optional<Errc> asked_through(std::vector<FakeFault> faults, int requests, const char* document) {
  Sim sim;
  const FakeGitHub fake = fake_with(std::move(faults));
  const GitHub github(faulty(fake));
  const Result<Json> data = sim.run(github.graphql(document));
  CHECK(fake.log().early == 0);
  CHECK(fake.log().requests == requests);
  return data ? std::nullopt : std::optional(data.error().code());
}

Task<> read_one(GitHub github, std::string name, int& done) {
  const Repository repository = co_await github.repository("o", std::move(name));
  done += repository.id == 1;
}
Task<> make_one(GitHub github, int& done) {
  const Issue issue = co_await github.create_issue("o", "r", NewIssue("t"));
  done += issue.number == 1;
}

Task<std::string> signature_of(std::string bytes) { co_return "signed " + std::to_string(bytes.size()); }

App app() {
  App app;
  app.id = "app";
  app.sign = signature_of;
  return app;
}

// The bytes "{}" and white space, in pieces; breaks off at the end if it is to.
class Pieces final : public http::BodySource {
 public:
  Pieces(int count, bool breaks) : left_(count), breaks_(breaks) {}
  Task<std::string> read() override {
    if (left_ > 0)
      co_return --left_ == 0 ? std::string(R"({"id": 1, "full_name": "o/r"})") : std::string(100, ' ');
    if (breaks_) co_return Error(Errc::reset, "broken");
    co_return std::string();
  }

 private:
  int left_;
  bool breaks_;
};

}  // namespace

TEST_CASE("github rules: the primary limit is waited for up to its reset, and no longer") {
  const Duration waited = read_through({FakeFault::primary}, 2, 10min);
  CHECK(waited >= 10min);
  CHECK(waited <= 10min + 7s);
}

TEST_CASE("github rules: a secondary limit with Retry-After takes that long, as 403 and as 429") {
  for (const FakeFault fault :
       {FakeFault::secondary_with_wait, FakeFault::too_many, FakeFault::unavailable_for_wait}) {
    const Duration waited = read_through({fault}, 2);
    CHECK(waited >= 30s);
    CHECK(waited <= 33s);
  }
  CHECK(read_through({FakeFault::secondary_with_wait, FakeFault::too_many, FakeFault::primary}, 4) >= 90s);
}

TEST_CASE("github rules: a secondary limit that only the body tells takes a minute, and then two") {
  for (const FakeFault fault : {FakeFault::secondary_told, FakeFault::secondary_by_url}) {
    CHECK(read_through({fault}, 2) >= 60s);
    const Duration twice = read_through({fault, fault}, 3);
    CHECK(twice >= 180s);
    CHECK(twice <= 198s);
  }
}

TEST_CASE("github rules: a wait longer than the program wants is its failure at once, and says how long") {
  Sim sim;
  const FakeGitHub fake = fake_with({FakeFault::primary, FakeFault::none}, 50min);
  Settings settings;
  settings.stack.limit_wait_max = 1min;
  std::optional<ApiError> why;
  const GitHub github = GitHub(faulty(fake), settings).observed([&](const ApiError& error) { why = error; });
  CHECK(sim.run(github.repository("o", "r")).error() == Errc::unavailable);
  CHECK(sim.elapsed() == Duration());
  CHECK(why->is_limit);
  CHECK(*why->wait >= 50min);
  // Nothing more is sent until then: the queue says no by itself.
  sim.advance(49min);
  CHECK(sim.run(github.repository("o", "other")).error() == Errc::unavailable);
  CHECK(fake.log().requests == 1);
  sim.advance(2min);
  CHECK(sim.run(github.repository("o", "r")));
  CHECK(fake.log().early == 0);
}

TEST_CASE("github rules: the fake notices a client that comes too early") {
  for (const FakeFault fault : {FakeFault::secondary_with_wait, FakeFault::secondary_told, FakeFault::primary,
                                FakeFault::unavailable_for_wait}) {
    Sim sim;
    const FakeGitHub fake = fake_with({fault});
    const http::Service service = faulty(fake);
    CHECK(sim.run(service(http::get("https://api.github.com/x")))->status >= 400);
    sim.advance(29s);
    CHECK(sim.run(service(http::get("https://api.github.com/x")))->status == 403);
    CHECK(fake.log().early == 1);
    sim.advance(31s + 1ms);
    CHECK(sim.run(service(http::get("https://api.github.com/x")))->status == 200);
    CHECK(fake.log().early == 1);
  }
}

TEST_CASE("github rules: a limit that outlasts the call's own time is its failure at once") {
  Sim sim;
  const FakeGitHub fake = fake_with({FakeFault::secondary_with_wait}, 10min);
  Settings settings;
  settings.stack.overall = 5min;
  CHECK(sim.run(GitHub(faulty(fake), settings).repository("o", "r")).error() == Errc::unavailable);
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE("github rules: a call that is cancelled while it waits sends nothing more, and holds up none") {
  Sim sim;
  const FakeGitHub fake = fake_with({FakeFault::secondary_with_wait});
  const GitHub github(faulty(fake));
  int done = 0;
  {
    Scope scope(sim.reactor());
    scope.spawn(read_one(github, "r", done));
    sim.advance(10s);
    scope.cancel();
  }
  sim.advance(1min);
  CHECK(done == 0);
  CHECK(fake.log().requests == 1);
  CHECK(sim.run(github.repository("o", "r")));
  CHECK(fake.log().requests == 2);
}

TEST_CASE("github rules: a generator that is dropped in the middle of a list asks for nothing more") {
  Sim sim;
  Script script;
  script.then(200, http::Headers{{"Link", "</p2>; rel=\"next\""}},
              R"([{"id": 1, "tag_name": "a"}, {"id": 2, "tag_name": "b"}])");
  const GitHub github(script.service());
  {
    Generator<Release> releases = github.releases("o", "r");
    CHECK(sim.run(releases.next()));
  }
  sim.advance(1h);
  CHECK(script.asked.size() == 1);
}

TEST_CASE("github rules: calls that run beside one that met a limit wait as well") {
  Sim sim;
  const FakeGitHub fake = fake_with({FakeFault::primary}, 5min);
  const GitHub github(faulty(fake));
  int done = 0;
  Scope scope(sim.reactor());
  scope.spawn(read_one(github, "first", done));
  sim.advance(1s);
  for (int i = 0; i < 20; ++i) scope.spawn(read_one(github, "r" + std::to_string(i), done));
  sim.advance(4min);
  CHECK(fake.log().requests == 1);
  sim.advance(10min);
  CHECK(done == 21);
  CHECK(fake.log().early == 0);
}

TEST_CASE("github rules: a refusal for good is not repeated") {
  Sim sim;
  Script script;
  script.then(403, http::Headers{{"X-RateLimit-Remaining", "10"}},
              R"({"message": "Resource not accessible by integration"})");
  CHECK(sim.run(GitHub(script.service()).repository("o", "r")).error() == Errc::permission_denied);
  CHECK(script.asked.size() == 1);
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE(
    "github rules: a read is repeated after 5xx and broken connections, a write only if it was not "
    "processed") {
  CHECK(read_through({FakeFault::bad_gateway, FakeFault::broken}, 3) < 1s);
  CHECK(made_through({FakeFault::bad_gateway}, 1) == Errc::unavailable);
  CHECK(made_through({FakeFault::broken}, 1) == Errc::reset);
  for (const FakeFault fault : {FakeFault::secondary_with_wait, FakeFault::secondary_told, FakeFault::primary,
                                FakeFault::too_many, FakeFault::unavailable_for_wait}) {
    CHECK(made_through({fault}, 2) == std::nullopt);
  }
}

TEST_CASE("github rules: after the last attempt the failure is what GitHub said") {
  Sim sim;
  const FakeGitHub fake = fake_with(std::vector<FakeFault>(4, FakeFault::secondary_with_wait));
  const GitHub github(faulty(fake));
  const Result<Repository> read = sim.run(github.repository("o", "r"));
  CHECK(read.error() == Errc::unavailable);
  CHECK(read.error().message().find("secondary rate limit") != std::string::npos);
  CHECK(fake.log().requests == 4);
  CHECK(fake.log().early == 0);
}

TEST_CASE(
    "github rules: GraphQL's limit has the status 200, and is one; its failures are repeated for a query") {
  const char* const query = "{ viewer { login } }";
  const char* const mutation = "mutation { addStar(input: {starrableId: 1}) { clientMutationId } }";
  CHECK(asked_through({FakeFault::graphql_limit}, 2, query) == std::nullopt);
  CHECK(asked_through({FakeFault::graphql_limit}, 2, mutation) == std::nullopt);
  CHECK(asked_through(std::vector<FakeFault>(4, FakeFault::graphql_limit), 4, query) == Errc::unavailable);
  CHECK(asked_through({FakeFault::graphql_failure}, 2, query) == std::nullopt);
  CHECK(asked_through({FakeFault::graphql_failure}, 1, mutation) == Errc::unavailable);
  CHECK(asked_through({FakeFault::bad_gateway}, 2, query) == std::nullopt);
  CHECK(asked_through({FakeFault::bad_gateway}, 1, mutation) == Errc::unavailable);
  CHECK(asked_through({FakeFault::broken}, 2, query) == std::nullopt);
}

TEST_CASE("github rules: writes are a second apart, and do not hold up reads") {
  Sim sim;
  Script script;
  script.then(200, R"({"id": 1, "full_name": "o/r", "number": 1, "title": "t", "state": "open"})");
  const GitHub github(script.service());
  int done = 0;
  Scope scope(sim.reactor());
  for (int i = 0; i < 5; ++i) scope.spawn(make_one(github, done));
  scope.spawn(read_one(github, "r", done));
  sim.advance(1min);
  CHECK(done == 6);
  Instant last;
  int writes = 0;
  for (std::size_t i = 0; i < script.asked.size(); ++i) {
    if (script.asked[i].starts_with("GET")) {
      CHECK(i <= 1);
    } else {
      if (writes++ > 0) CHECK(script.at[i] - last >= 1s);
      last = script.at[i];
    }
  }
  CHECK(writes == 5);
}

TEST_CASE("github rules: a 304 costs no quota") {
  Sim sim;
  FakeGitHubOptions options;
  options.quota = 3;
  const FakeGitHub fake(options);
  Settings settings;
  const GitHub github(faulty(fake), settings);
  for (int i = 0; i < 50; ++i) CHECK(sim.run(github.repository("o", i % 2 == 0 ? "a" : "b")));
  CHECK(fake.log().requests == 50);
  CHECK(fake.log().counted == 2);
  CHECK(fake.log().not_modified == 48);
  CHECK(settings.cache.served() == 48);
  CHECK(sim.run(github.rate_limits())->core.remaining == 1);
  CHECK(sim.elapsed() == Duration());
  sim.advance(30min);
  CHECK(sim.run(github.repository("o", "c")));
  CHECK(sim.run(github.repository("o", "d")));  // the quota is used up: the next hour
  CHECK(sim.elapsed() >= 1h);
  CHECK(sim.elapsed() <= 1h + 6s);
  CHECK(fake.log().early == 0);
}

TEST_CASE("github rules: a 304 is the response that was kept, for the same credentials alone") {
  Sim sim;
  Script script;
  script.then(200, http::Headers{{"ETag", "\"1\""}}, R"({"id": 1})");
  script.then(304, http::Headers{{"ETag", "\"1\""}, {"X-RateLimit-Remaining", "7"}}, "");
  script.then(200, http::Headers{{"ETag", "\"2\""}}, R"({"id": 2})").then(304, "");
  const http::Service api = http::layered(EtagCache(), script.service());
  for (const char* const body : {R"({"id": 1})", R"({"id": 1})", R"({"id": 2})", R"({"id": 2})"}) {
    http::Response response = *sim.run(api(http::get("https://api.github.com/x")));
    CHECK(response.status == 200);
    CHECK(*sim.run(response.body.text(100)) == body);
  }
  Strings sent;
  for (const http::Headers& head : script.heads) sent.emplace_back(head.get_or("If-None-Match", "-"));
  CHECK(sent == Strings{"-", "\"1\"", "\"1\"", "\"2\""});
  http::Request other = http::get("https://api.github.com/x");
  other.headers.set("Authorization", "Bearer other");
  CHECK(sim.run(api(std::move(other)))->status == 304);
  CHECK_FALSE(script.heads.back().has("If-None-Match"));
}

TEST_CASE(
    "github rules: the cache keeps bodies of unknown length, within its bounds, and none that broke off") {
  Sim sim;
  int pieces = 10;
  bool breaks = false;
  int conditional = 0;
  const http::Service service = [&](http::Request request) -> Task<http::Response> {
    conditional += request.headers.has("If-None-Match");
    co_return http::Response(200, http::Headers{{"ETag", "\"1\""}},
                             http::Body(std::make_unique<Pieces>(pieces, breaks)));
  };
  Settings settings = impatient();
  settings.cache = EtagCache(10 * KiB, 2 * KiB);
  const GitHub github(service, settings);
  breaks = true;
  CHECK(sim.run(github.repository("o", "a")).error() == Errc::reset);
  breaks = false;
  CHECK(sim.run(github.repository("o", "a")));
  CHECK(conditional == 0);
  CHECK(sim.run(github.repository("o", "a")));
  CHECK(conditional == 1);
  pieces = 100;  // too long to keep, and whole all the same
  CHECK(sim.run(github.repository("o", "long")));
  CHECK(sim.run(github.repository("o", "long")));
  CHECK(conditional == 1);
  pieces = 10;
  for (int i = 0; i < 10; ++i) CHECK(sim.run(github.repository("o", std::to_string(i))));
  CHECK(sim.run(github.repository("o", "a")));  // was dropped meanwhile
  CHECK(conditional == 1);
}

TEST_CASE("github rules: one installation token for all calls, and another one after a 401") {
  Sim sim;
  FakeGitHubOptions options;
  options.wants_token = true;
  options.faults = {FakeFault::none, FakeFault::none, FakeFault::refused_token};
  const FakeGitHub fake(options);
  Settings settings;
  settings.stack.get_token = installation_tokens(faulty(fake), app(), 7);
  const GitHub github(faulty(fake), settings);
  int done = 0;
  {
    Scope scope(sim.reactor());
    for (int i = 0; i < 10; ++i) scope.spawn(read_one(github, std::to_string(i), done));
    sim.advance(1min);
  }
  CHECK(done == 10);
  CHECK(fake.log().minted == 2);
  for (int i = 0; i < 10; ++i) CHECK(sim.run(github.repository("o", "r")));
  CHECK(fake.log().minted == 2);
}

TEST_CASE("github rules: a token that is refused again is the failure, and is no loop") {
  Sim sim;
  FakeGitHubOptions options;
  options.wants_token = true;
  options.faults = std::vector<FakeFault>(10, FakeFault::refused_token);
  const FakeGitHub fake(options);
  Settings settings;
  settings.stack.get_token = installation_tokens(faulty(fake), app(), 7);
  CHECK(sim.run(GitHub(faulty(fake), settings).repository("o", "r")).error() == Errc::permission_denied);
  CHECK(fake.log().minted == 2);
  CHECK(fake.log().requests == 4);
}

TEST_CASE("github rules: a token that was kept serves the next client, until a minute before its end") {
  Sim sim;
  FakeGitHubOptions options;
  options.wants_token = true;
  const FakeGitHub fake(options);
  const auto kept = std::make_shared<KeptToken>();
  const auto read = [&] {
    Settings settings;
    settings.stack.get_token = installation_tokens(faulty(fake), app(), 7, kept);
    CHECK(sim.run(GitHub(faulty(fake), settings).repository("o", "r")));
    return fake.log().minted;
  };
  CHECK(read() == 1);
  CHECK(read() == 1);
  sim.advance(58min);
  CHECK(read() == 1);
  sim.advance(1min + 1s);
  CHECK(read() == 2);
  kept->text = "of yesterday";  // refused: another one is minted
  CHECK(read() == 3);
}

TEST_CASE("github rules: an App's token, and a minting that fails") {
  Sim sim;
  const SystemTime now = SystemTime::from_unix_milliseconds(1'000'000'000'500);
  const std::string jwt = *sim.run(app_token(app(), now));
  const std::size_t first = jwt.find('.');
  const std::size_t second = jwt.find('.', first + 1);
  CHECK(from_base64(jwt.substr(0, first)) == R"({"alg":"RS256","typ":"JWT"})");
  const Json claims = *http::parse_json(from_base64(jwt.substr(first + 1, second - first - 1)));
  CHECK(claims["iat"] == 999'999'940);
  CHECK(claims["exp"] == 1'000'000'540);
  CHECK(claims["iss"] == "app");
  CHECK(from_base64(jwt.substr(second + 1)) == "signed " + std::to_string(second));

  const auto minted = [&](int status, const char* body) {
    Script script;
    script.then(status, body);
    const auto token = installation_tokens(script.service(), app(), 7);
    const Result<std::string> text = sim.run(token());
    CHECK(script.asked == Strings{"POST /app/installations/7/access_tokens"});
    return text ? *text : std::string(name(text.error().code()));
  };
  CHECK(minted(201, R"({"token": "t", "expires_at": "2001-09-09T01:46:40Z"})") == "t");
  CHECK(minted(201, R"({"token": "t", "expires_at": "soon"})") == "t");
  CHECK(minted(201, R"({"token": 7})") == "bad_message");
  CHECK(minted(201, "[]") == "bad_message");
  CHECK(minted(201, "<html>") == "bad_message");
  CHECK(minted(401, "{}") == "permission_denied");
  CHECK(minted(404, "{}") == "not_found");

  Script script;
  script.then(502, "").then(201, R"({"token": "t"})");
  const auto token = installation_tokens(http::layered(http::Retry{}, script.service()), app(), 7);
  CHECK(*sim.run(token()) == "t");
  App broken = app();
  broken.sign = [](std::string) -> Task<std::string> { co_return Error(Errc::invalid_argument, "no key"); };
  CHECK(sim.run(installation_tokens(script.service(), broken, 7)()).error() == Errc::invalid_argument);
}

TEST_CASE("github rules: faults of the transport beside those of GitHub, a thousand calls") {
  for (const bool loses : {false, true}) {
    Sim sim;
    http::FaultOptions faults;
    faults.delayed = faults.refused = faults.failed = 0.1;
    if (loses) faults.lost = faults.truncated = 0.1;
    FakeGitHubOptions options;
    options.fault_share = 0.05;
    const FakeGitHub fake(options);
    Settings settings;
    settings.stack.attempts = 20;
    const GitHub github(http::layered(http::FaultInjection(faults), fake, repository_of), settings);
    int failed = 0;
    for (int i = 0; i < 1000; ++i) {
      const Result<Repository> read = sim.run(github.repository("o", std::to_string(i % 50)));
      if (!read) ++failed;
    }
    CHECK(failed == 0);
    CHECK(fake.log().not_modified > 500);
    // A client that never gets a response does not know what it says.
    if (!loses) CHECK(fake.log().early == 0);
  }
}
