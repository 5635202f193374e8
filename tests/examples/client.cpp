// A client with layers:  client URL

#include <cstdio>

#include <escapement/io/http/client.h>
#include <escapement/io/native/loop.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

// clang-format off
// [client]
Task<std::string> fetch(Network& network, std::string url) {
  http::Service api = http::layered(http::Timeout{2s},                            // the whole call, retries included
                                    http::Retry{.attempts = 3, .backoff = 100ms},
                                    http::Timeout{250ms},                         // each attempt
                                    http::Redirect{},                             // 301, 302, 303, 307, 308
                                    http::Client(network));
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await api(std::move(request));
  co_return co_await response.body.text(1 * MiB);
}
// [client]
// clang-format on

int main(int count, char** arguments) {
  Loop loop;
  Result<std::string> body = loop.run(fetch(loop.network(), count == 2 ? arguments[1] : ""));
  std::fprintf(body ? stdout : stderr, "%s\n", body ? body->c_str() : to_string(body.error()).c_str());
  return body ? 0 : 1;
}
