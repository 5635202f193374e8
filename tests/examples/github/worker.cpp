// GitHub in a Worker: GET /OWNER/NAME responds with the summary of a repository, and /tour with the tour of
// the recordings. worker.mjs is its other half. Its variables:
//
//     GITHUB_TOKEN                                  a token; or an App's
//     APP_ID, APP_KEY (PEM), APP_INSTALLATION
//     GITHUB_API                                    the base, if it is not https://api.github.com

#include <cstdlib>

#include <escapement/middleware/client/retry.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/worker.h>

#include "github/app_token.h"
#include "github/rs256.h"
#include "github/tour.h"

using namespace escapement;
using namespace escapement::github;

namespace {

Task<std::string> given(std::string token) { co_return token; }

// Returns the variables' way to a token; none if they have none.
Result<std::function<Task<std::string>()>> token_of(Reactor& reactor, const std::string& base) {
  // Plain data, kept as long as the isolate: the next request finds the token and the ETags.
  static const auto kept = std::make_shared<KeptToken>();
  std::function<Task<std::string>()> token;
  if (const auto secret = wasm::env(reactor, "GITHUB_TOKEN")) {
    token = [text = *secret] { return given(text); };
  } else if (const auto id = wasm::env(reactor, "APP_ID")) {
    Result<Sign> sign = rs256(wasm::env(reactor, "APP_KEY").value_or(""));
    if (!sign) return std::move(sign).error();
    App app;
    app.id = *id;
    app.sign = *std::move(sign);
    app.base = base;
    const std::string installation = wasm::env(reactor, "APP_INSTALLATION").value_or("");
    const http::Service minting = http::layered(http::Retry{}, wasm::HostFetch());
    token = installation_tokens(minting, std::move(app), std::atoll(installation.c_str()), kept);
  }
  return token;
}

Task<http::Response> handle(http::Request request) {
  static const EtagCache cache;
  Reactor& reactor = co_await this_reactor;
  Settings settings;
  settings.cache = cache;
  settings.stack.base = wasm::env(reactor, "GITHUB_API").value_or(settings.stack.base);
  settings.stack.get_token = co_await token_of(reactor, settings.stack.base);
  const std::string path = request.url.path();
  const std::size_t slash = path.find('/', 1);
  std::string text;
  if (path == "/tour") {
    settings.stack.attempt = 1s;  // the recordings have a server that stalls
    const GitHub github(wasm::HostFetch(), std::move(settings));
    text = co_await tour(github, "octokit-fixture-org");
  } else if (slash != path.npos) {
    const GitHub github(wasm::HostFetch(), std::move(settings));
    text = co_await summary(github, path.substr(1, slash - 1), path.substr(slash + 1));
  } else {
    co_return http::Response(404, "ask for /OWNER/NAME\n");
  }
  http::Response response(200, http::Headers{{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text));
  response.headers.set("X-From-Cache", std::to_string(cache.served()));
  co_return std::move(response);
}

}  // namespace

ESC_WORKER(handle)
