// The tokens of a GitHub App: a JSON web token of its own, and with that one for each installation.
//
//     BearerAuthOptions options;
//     options.origin = "https://api.github.com";
//     options.get_token = installation_tokens(client, "https://api.github.com", app, installation);
//     const Service api = layered(Redirect{}, BearerAuth(options), Retry{}, client);
//
// BearerAuth mints one token for all calls, and another one when a call gets a 401.

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <escapement/core/system_time.h>
#include <escapement/io/http/service.h>

namespace escapement::github {

// Signs bytes by RS256 (RSASSA-PKCS1-v1_5 with SHA-256): rs256.h natively, a host's WebCrypto elsewhere.
using Sign = std::function<Task<std::string>(std::string bytes)>;

// An App, by which tokens are minted.
struct App {
  std::string id;  // the App's client id or number
  Sign sign;       // by its private key
};

// Returns the App's token at `now`. It is valid from 60 s before, for clocks that differ, for 9 minutes, of
// the 10 that GitHub allows.
Task<std::string> app_token(App app, SystemTime now);

// Returns a function for BearerAuthOptions::get_token, which mints a token of the installation by `service`.
// Fails as its call does; bad_message if GitHub sends no token.
std::function<Task<std::string>()> installation_tokens(http::Service service, std::string base, App app,
                                                       std::int64_t installation);

}  // namespace escapement::github
