#include "app.h"

#include <escapement/io/http/client.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

Task<std::string> fetch(Network& network, std::string url) {
  http::Service api =
      http::layered(http::Timeout{10s},                                               // the whole call
                    http::Retry{.attempts = 3, .backoff = 100ms}, http::Timeout{2s},  // each attempt
                    http::Redirect{}, http::Client(network));
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await api(std::move(request));
  if (response.status != 200) {
    co_await Error(Errc::bad_message, url + ": status " + std::to_string(response.status));
  }
  co_return co_await response.body.text(1 * MiB);
}
