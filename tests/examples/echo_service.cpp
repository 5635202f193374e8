#include "echo_service.h"

#include <charconv>

#include <escapement/timers/sleep.h>

namespace escapement::demo {

namespace {

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

http::Response text(int status, std::string body) {
  return http::Response(status, http::Headers{{"Content-Type", "text/plain"}}, std::move(body));
}

// "1\n", "2\n", ... one piece at a time.
class Count final : public http::BodySource {
 public:
  explicit Count(int to) : to_(to) {}
  Task<std::string> read() override {
    if (at_ == to_) co_return std::string();
    co_await sleep(1ms);
    co_return std::to_string(++at_) + "\n";
  }

 private:
  int at_ = 0;
  int to_;
};

}  // namespace

Task<http::Response> echo_service(http::Request request) {
  const std::string path = request.url.path();
  if (path == "/hello") co_return text(200, "hello " + request.url.query_parameter("name"));
  if (path.starts_with("/status/")) co_return text(number(path.substr(8)), "as you wish\n");
  if (path == "/count") {
    http::Response response = text(200, "");
    response.body = http::Body(std::make_unique<Count>(number(request.url.query_parameter("to"))));
    co_return std::move(response);
  }
  if (path == "/wait") {
    co_await sleep(std::chrono::milliseconds(number(request.url.query_parameter("ms"))));
    co_return text(200, "waited\n");
  }
  if (path == "/headers") {
    std::string seen;
    for (const http::Headers::Field& field : request.headers) {
      if (field.name.starts_with("x-")) seen += field.name + "=" + field.value + "\n";
    }
    co_return text(200, std::move(seen));
  }
  if (path == "/length") {
    const std::string body = co_await request.body.text(16 * MiB);
    co_return text(200, std::to_string(body.size()));
  }
  if (path == "/echo") {
    http::Response response = text(200, "");
    response.body = std::move(request.body);
    co_return std::move(response);
  }
  co_return text(404, "no such thing\n");
}

}  // namespace escapement::demo
