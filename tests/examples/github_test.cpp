// The GitHub client on GitHub's recorded responses (npm's @octokit/fixtures) with faults: in simulated time,
// and over sockets. A live test runs where GITHUB_TOKEN is set.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/tls/tls.h>

#include "github/base64.h"
#include "github/fake_github.h"
#include "github/rs256.h"
#include "github/tour.h"
#include "github_script.h"
#include "tools/serve/fixture_service.h"

using namespace escapement;
using namespace escapement::github;

namespace {

const std::string tour_text =
    "repository octokit-fixture-org/hello-world, branch master\n"
    "renamed to octokit-fixture-org/rename-repository-newname\n"
    "issues 13\n"
    "README # hello-world\n"
    "files 1\n"
    "found 2\n"
    "release v1.0.0 with 1 asset\n"
    "no-such: not_found\n"
    "label: Validation Failed, color invalid\n"
    "issue #1\n"
    "labels 3\n"
    "commit of 40 digits\n";

// GitHub as it was recorded; empty: the recordings are not installed.
std::optional<http::Service> recorded() {
  Result<std::vector<demo::Recording>> recordings = demo::load_recordings(ESC_FIXTURES);
  if (!recordings) return std::nullopt;
  return demo::fixture_service(*std::move(recordings));
}

Settings settings_for(std::string base) {
  Settings settings;
  settings.stack.base = std::move(base);
  settings.stack.attempt = 1s;  // the recordings have a server that stalls for 5 s
  return settings;
}

Task<std::string> over(Network& network, http::Service service, std::string address) {
  Reactor& reactor = co_await this_reactor;
  http::Server server(std::move(service));
  std::unique_ptr<Listener> listener = co_await network.listen(address);
  const std::string at = listener->address();
  Scope scope(reactor);
  scope.spawn(server.serve(std::move(listener)));
  const http::Client client(network);
  Settings settings = settings_for("http://" + at + "/run-1");
  settings.stack.queue.between_writes = 1ms;
  const GitHub github(client, std::move(settings));
  std::string text = co_await tour(github, "octokit-fixture-org");
  co_return std::move(text);
}

std::string key_in_pem(const char* form) {
  const auto file =
      std::filesystem::temp_directory_path() / ("esc-github-" + std::to_string(::getpid()) + ".pem");
  const std::string command =
      "openssl genrsa " + std::string(form) + " -out " + file.string() + " 2048 2>/dev/null";
  if (std::system(command.c_str()) != 0) return {};
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  return text.str();
}

Task<std::string> no_signature(std::string bytes) { co_return "signed " + std::to_string(bytes.size()); }

}  // namespace

TEST_CASE("github: the recorded responses, with a stall, 503, 429 and broken connections on the way") {
  const std::optional<http::Service> service = recorded();
  if (!service) SKIP("skipped: @octokit/fixtures is not installed (tools/setup)");
  Sim sim;
  const GitHub github(*service, settings_for("http://api.test/run-1"));
  CHECK(*sim.run(tour(github, "octokit-fixture-org")) == tour_text);
  CHECK(sim.elapsed() > 3s);
}

TEST_CASE("github: the recorded responses, with every fault of GitHub's limits") {
  const std::optional<http::Service> service = recorded();
  if (!service) SKIP("skipped: @octokit/fixtures is not installed (tools/setup)");
  const std::string base = "http://api.test/run-1";
  int faults = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Sim sim(Seed{seed});
    FakeGitHubOptions options;
    options.fault_share = 0.3;
    options.seed = seed;
    options.wait = Duration(7s) * static_cast<std::int64_t>(seed);
    options.wants_token = true;
    options.clock_ahead = seed % 3 == 0 ? Duration(-45s) : seed % 3 == 1 ? Duration() : Duration(45s);
    const FakeGitHub fake(options);
    const http::Service faulty = http::layered(fake, *service);
    Settings settings = settings_for(base);
    settings.stack.attempts = 12;
    App app;
    app.id = "app";
    app.sign = no_signature;
    app.base = base;
    settings.stack.get_token = installation_tokens(faulty, app, 7);
    const Result<std::string> text =
        sim.run(tour(GitHub(faulty, std::move(settings)), "octokit-fixture-org"));
    CHECK(fake.log().early == 0);
    if (!text) FAIL_CHECK(text.error().message());
    if (text) CHECK(*text == tour_text);
    for (const std::string& line : fake.log().lines)
      faults += line.ends_with("403") || line.ends_with("401") || line.ends_with("599");
  }
  CHECK(faults > 100);
}

TEST_CASE("github: the same over simulated connections, and over sockets") {
  const std::optional<http::Service> service = recorded();
  if (!service) SKIP("skipped: @octokit/fixtures is not installed (tools/setup)");
  Sim sim;
  CHECK(*sim.run(over(sim.network(), *service, "api.test:80")) == tour_text);
  Loop loop;
  CHECK(*loop.run(over(loop.network(), *recorded(), "127.0.0.1:0")) == tour_text);
}

TEST_CASE("github: the summary of a repository") {
  Sim sim;
  Script script;
  script.then(200, R"({"id": 1, "full_name": "o/r", "description": "D", "default_branch": "main"})");
  script.then(410, R"({"message": "Issues are disabled for this repo"})").then(200, "# r");
  script.then(200, R"({"resources": {"core": {"limit": 60, "remaining": 57, "reset": 1372700873}}})");
  CHECK(*sim.run(summary(GitHub(script.service()), "o", "r")) ==
        "o/r: D\nbranch main, 0 stars\nno issues\nREADME.md has 3 bytes\nrate limit: 57 of 60 left\n");
}

TEST_CASE("github: RS256 signatures verify by openssl") {
  for (const char* const form : {"-traditional", ""}) {
    const std::string pem = key_in_pem(form);
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
    const std::string command = "openssl dgst -sha256 -prverify " + base + ".key -signature " + base +
                                ".sig " + base + ".txt > /dev/null";
    CHECK(std::system(command.c_str()) == 0);
    for (const char* end : {".key", ".sig", ".txt"}) std::filesystem::remove(base + end);
  }
  CHECK(rs256("nonsense").error() == Errc::invalid_argument);
  CHECK(rs256("").error() == Errc::invalid_argument);
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
  if (token == nullptr || *token == '\0') SKIP("skipped: GITHUB_TOKEN is not set");
  Loop loop;
  http::ClientOptions client;
  client.encrypt = http::Encrypt(*TlsClient::make());
  Settings settings;
  settings.stack.overall = 60s;
  settings.stack.get_token = [token]() -> Task<std::string> { co_return token; };
  const GitHub github(http::Client(loop.network(), client), settings);
  const Result<std::string> text = loop.run(summary(github, "octocat", "Hello-World"));
  const bool unreachable = !text && (text.error().fault() != Fault::none || !text.error().maybe_sent());
  if (unreachable) SKIP("skipped: no network: " + text.error().message());
  if (!text) FAIL(to_string(text.error()));
  CHECK(text->starts_with("octocat/Hello-World"));
  const std::int64_t before = loop.run(github.rate_limits())->core.remaining;
  for (int i = 0; i < 3; ++i) CHECK(loop.run(github.repository("octocat", "Hello-World")));
  CHECK(settings.cache.served() == 3);
  CHECK(loop.run(github.rate_limits())->core.remaining == before);
}
