// A libcurl program's parts with escapement: options, an upload, a streamed download, many transfers at once.

#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/default_headers.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [easy]
http::Service easy(Network& network) {
  http::ClientOptions options;
  options.connect_timeout = 5s;  // CURLOPT_CONNECTTIMEOUT
  http::Redirect redirect;
  redirect.hops_max = 5;                    // CURLOPT_FOLLOWLOCATION, CURLOPT_MAXREDIRS
  return http::layered(http::Timeout{30s},  // CURLOPT_TIMEOUT, up to the head
                       http::DefaultHeaders{{{"User-Agent", "mine/1.0"}}},  // CURLOPT_USERAGENT
                       http::Retry{.attempts = 4},                          // curl --retry 3
                       redirect, http::Client(network, options));
}

Task<std::string> fetch(const http::Service& api, std::string url) {
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await api(std::move(request));
  if (response.status >= 400) co_await Error(Errc::not_found, "status " + std::to_string(response.status));
  co_return co_await with_timeout(30s, response.body.text(10 * MiB));  // more: Errc::limit_exceeded
}
// [easy]

// [post]
Task<int> upload(const http::Service& api, std::string url, std::string json) {
  http::Headers headers{{"Content-Type", "application/json"}};
  http::Url where = co_await http::Url::parse(url);
  http::Request request("POST", std::move(where), std::move(headers), std::move(json));
  http::Response response = co_await api(std::move(request));
  co_return response.status;
}
// [post]

// [stream]
Task<std::size_t> download(const http::Service& api, std::string url, std::FILE* file) {
  http::Response response = co_await api(http::Request("GET", co_await http::Url::parse(url)));
  std::size_t total = 0;
  for (;;) {
    std::string piece = co_await response.body.read();
    if (piece.empty()) co_return total;  // the whole body has come; one that breaks off fails instead
    total += std::fwrite(piece.data(), 1, piece.size(), file);
  }
}
// [stream]

// [multi]
Task<std::vector<std::string>> fetch_all(const http::Service& api, std::vector<std::string> urls) {
  std::vector<Task<std::string>> transfers;
  for (const std::string& url : urls) transfers.push_back(fetch(api, url));
  co_return co_await all(std::move(transfers));
}
// [multi]

Task<http::Response> origin(http::Request request) {
  if (request.url.path() == "/old") co_return http::Response(301, {{"Location", "/new"}}, {});
  if (request.url.path() == "/none") co_return http::Response(404);
  if (request.method == http::Method::post()) {
    std::string body = co_await request.body.text(1 * KiB);
    co_return http::Response(body == "{}" ? 201 : 400);
  }
  co_return http::Response(200, "this is " + request.url.path() + "\n");
}

Task<> program(SimNetwork& network) {
  Reactor& reactor = co_await this_reactor;
  http::Server server(origin);
  Scope scope(reactor, nullptr);
  scope.spawn(server.listen(network, "origin.test:80"));
  co_await sleep(1ms);
  http::Service api = easy(network);
  const std::string moved = co_await fetch(api, "http://origin.test/old");
  std::fputs(moved.c_str(), stdout);
  Result<std::string> none = co_await fetch(api, "http://origin.test/none").result();
  std::puts(to_string(none.error()).c_str());
  const int status = co_await upload(api, "http://origin.test/things", "{}");
  std::printf("uploaded: %d\n", status);
  const std::size_t bytes = co_await download(api, "http://origin.test/file", stdout);
  std::printf("%zu bytes\n", bytes);
  std::vector<std::string> urls = {"http://origin.test/a", "http://origin.test/b"};
  std::vector<std::string> pages = co_await fetch_all(api, std::move(urls));
  for (const std::string& page : pages) std::fputs(page.c_str(), stdout);
  scope.cancel();
}

int main() {
  Sim sim;  // Loop in production
  Result<> done = sim.run(program(sim.network()));
  if (!done) std::puts(to_string(done.error()).c_str());
  return done ? 0 : 1;
}
