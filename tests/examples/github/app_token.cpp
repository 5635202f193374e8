#include "github/app_token.h"

#include <utility>

#include <escapement/core/reactor.h>
#include <escapement/middleware/client/call.h>
#include <escapement/middleware/client/json.h>

#include "github/base64.h"
#include "github/fields.h"

namespace escapement::github {

Task<std::string> app_token(App app, SystemTime now) {
  const std::int64_t seconds = now.unix_milliseconds() / 1000;
  const Json head{{"alg", "RS256"}, {"typ", "JWT"}};
  const Json claims{{"iat", seconds - 60}, {"exp", seconds + 540}, {"iss", app.id}};
  std::string text = to_base64url(http::json_text(head)) + '.' + to_base64url(http::json_text(claims));
  const std::string signature = co_await app.sign(text);
  co_return text + '.' + to_base64url(signature);
}

namespace {

// The tokens of one client.
class Minting {
 public:
  Minting(http::Service service, App app, std::int64_t installation, std::shared_ptr<KeptToken> kept)
      : kept_(std::move(kept)),
        service_(std::move(service)),
        app_(std::move(app)),
        installation_(std::to_string(installation)) {}

  static Task<std::string> token(std::shared_ptr<Minting> self) {
    Reactor& reactor = co_await this_reactor;
    const SystemTime now = reactor.backend().system_now();
    const bool usable = self->kept_->text != self->given_ && now + 60s < self->kept_->expires;
    if (!usable) {
      const KeptToken fresh = co_await self->mint(now);
      *self->kept_ = fresh;
    }
    self->given_ = self->kept_->text;
    co_return self->given_;
  }

 private:
  Task<KeptToken> mint(SystemTime now) {
    const std::string token = co_await app_token(app_, now);
    const http::Calls calls(service_, app_.base + '/');
    const std::string path = "app/installations/" + installation_ + "/access_tokens";
    http::Call call = calls.post(path);
    call.bearer(token).header("Accept", "application/vnd.github+json").header("User-Agent", "escapement");
    call.header("Idempotency-Key", "\"mint\"");  // GitHub knows no such field; it tells Retry that it may
    const Json json = co_await call.json();
    Fields fields(json);
    KeptToken fresh;
    fresh.text = fields.text("token");
    const Result<SystemTime> expires = SystemTime::parse_rfc3339(fields.text_or_empty("expires_at"));
    fresh.expires = expires ? *expires : now + 1h;
    Result<KeptToken> checked = fields.checked(std::move(fresh));
    if (!checked) co_return std::move(checked).error().context("POST " + path);
    co_return *std::move(checked);
  }

  std::shared_ptr<KeptToken> kept_;
  std::string given_;  // the last one that this client got
  http::Service service_;
  App app_;
  std::string installation_;
};

}  // namespace

std::function<Task<std::string>()> installation_tokens(http::Service service, App app,
                                                       std::int64_t installation,
                                                       std::shared_ptr<KeptToken> kept) {
  auto minting = std::make_shared<Minting>(std::move(service), std::move(app), installation, std::move(kept));
  return [minting] { return Minting::token(minting); };
}

}  // namespace escapement::github
