// The tokens of a GitHub App: a JSON web token of its own, and with that one for each installation.
//
//     Settings settings;
//     settings.stack.get_token = installation_tokens(layered(Retry{}, client), app, installation);
//     const GitHub github(client, settings);
//
// The preset's BearerAuth mints one token for all calls, and another one when a call gets a 401.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <escapement/core/system_time.h>
#include <escapement/io/http/service.h>

namespace escapement::github {

// Signs bytes by RS256 (RSASSA-PKCS1-v1_5 with SHA-256): rs256.h.
using Sign = std::function<Task<std::string>(std::string bytes)>;

// An App, by which tokens are minted.
struct App {
  std::string id;  // the App's client id or number
  Sign sign;       // by its private key
  std::string base = "https://api.github.com";
};

// Returns the App's token at `now`. It is valid from 60 s before, for clocks that differ, for 9 minutes, of
// the 10 that GitHub allows.
Task<std::string> app_token(App app, SystemTime now);

// A token that was minted. Plain data: it may outlive a client, and in a Worker the request that minted it.
struct KeptToken {
  std::string text;  // empty: none yet
  SystemTime expires;
};

// Returns a function for http::GitHubOptions::get_token, which mints a token of the installation by
// `service`. Its first call yields the one in `kept`, if that is valid for a minute still; each later one is
// for a token that GitHub has refused, and mints another one, unless another client has put one into `kept`
// meanwhile. `service` should have a Retry: minting may be repeated.
//
// Fails as its call does, and with bad_message if GitHub sends no token.
std::function<Task<std::string>()> installation_tokens(
    http::Service service, App app, std::int64_t installation,
    std::shared_ptr<KeptToken> kept = std::make_shared<KeptToken>());

}  // namespace escapement::github
