// Prints the summary of a repository:  github OWNER NAME [BASE]
// GITHUB_TOKEN is the token; without it GitHub allows 60 requests an hour.

#include <cstdio>
#include <cstdlib>

#include <escapement/io/http/client.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/tls/tls.h>

#include "github/tour.h"

using namespace escapement;
using namespace escapement::github;

namespace {

Task<std::string> given(std::string token) { co_return token; }

// [show]
Task<std::string> show(Loop& loop, Settings settings, std::string owner, std::string name) {
  http::ClientOptions options;
  options.encrypt = http::Encrypt(co_await TlsClient::make());
  const http::Client client(loop.network(), std::move(options));
  const GitHub github(client, std::move(settings));
  std::string text = co_await summary(github, std::move(owner), std::move(name));
  co_return std::move(text);
}
// [show]

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || count > 4) {
    std::fprintf(stderr, "usage: github OWNER NAME [BASE]\n");
    return 2;
  }
  Settings settings;
  settings.stack.user_agent = "escapement-example";
  settings.stack.limit_wait_max = 1min;
  if (count == 4) settings.stack.base = arguments[3];
  if (const char* const token = std::getenv("GITHUB_TOKEN"); token != nullptr) {
    settings.stack.get_token = [text = std::string(token)] { return given(text); };
  }
  Loop loop;
  const Result<std::string> text = loop.run(show(loop, std::move(settings), arguments[1], arguments[2]));
  if (!text) {
    std::fprintf(stderr, "github: %s\n", to_string(text.error()).c_str());
    return 1;
  }
  std::printf("%s", text->c_str());
  return 0;
}
