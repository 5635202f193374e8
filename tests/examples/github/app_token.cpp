#include "github/app_token.h"

#include <utility>

#include <escapement/core/reactor.h>
#include <escapement/middleware/client/call.h>
#include <escapement/middleware/client/json.h>

#include "github/base64.h"

namespace escapement::github {

Task<std::string> app_token(App app, SystemTime now) {
  const std::int64_t seconds = now.unix_milliseconds() / 1000;
  const http::Json head{{"alg", "RS256"}, {"typ", "JWT"}};
  const http::Json claims{{"iat", seconds - 60}, {"exp", seconds + 540}, {"iss", app.id}};
  std::string text = to_base64url(head.dump()) + '.' + to_base64url(claims.dump());
  const std::string signature = co_await app.sign(text);
  co_return text + '.' + to_base64url(signature);
}

namespace {

Task<std::string> mint(http::Service service, std::string base, App app, std::int64_t installation) {
  Reactor& reactor = co_await this_reactor;
  const std::string token = co_await app_token(std::move(app), reactor.backend().system_now());
  const http::Calls calls(std::move(service), base + '/');
  const std::string path = "app/installations/" + std::to_string(installation) + "/access_tokens";
  http::Call call = calls.post(path);
  call.bearer(token).header("Accept", "application/vnd.github+json").header("User-Agent", "escapement");
  const http::Json json = co_await call.json();
  const auto found = json.find("token");
  if (found == json.end() || !found->is_string()) {
    co_return Error(Errc::bad_message, "POST " + path + ": the response has no token");
  }
  co_return found->get<std::string>();
}

}  // namespace

std::function<Task<std::string>()> installation_tokens(http::Service service, std::string base, App app,
                                                       std::int64_t installation) {
  return [service = std::move(service), base = std::move(base), app = std::move(app), installation] {
    return mint(service, base, app, installation);
  };
}

}  // namespace escapement::github
