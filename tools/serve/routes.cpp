#include "tools/serve/routes.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <escapement/core/detail/number.h>
#include <escapement/timers/sleep.h>

namespace escapement {

namespace {

constexpr std::int64_t delay_max_ms = 3'600'000;

std::int64_t number(std::string_view text, std::int64_t otherwise) {
  const auto value = parse_number<std::int64_t>(text);
  return value && *value >= 0 ? *value : otherwise;
}

http::Response text(int status, std::string body) {
  return http::Response(status, http::Headers{{"Content-Type", "text/plain; charset=utf-8"}},
                        std::move(body));
}

// Sends `bytes` bytes, one at a time, `pause` apart.
class Drip final : public http::BodySource {
 public:
  Drip(std::int64_t bytes, Duration pause) : left_(bytes), pause_(pause) {}
  Task<std::string> read() override {
    if (left_-- <= 0) co_return std::string();
    co_await sleep(pause_);
    co_return std::string("*");
  }

 private:
  std::int64_t left_;
  Duration pause_;
};

class Broken final : public http::BodySource {
 public:
  Task<std::string> read() override {
    if (!std::exchange(begun_, true)) co_return std::string("the beginning\n");
    co_await sleep(10ms);
    co_return Error(Errc::reset, "broken on purpose");
  }

 private:
  bool begun_ = false;
};

// A body whose first piece has already been read.
class Resumed final : public http::BodySource {
 public:
  Resumed(std::string first, http::Body rest) : first_(std::move(first)), rest_(std::move(rest)) {}
  Task<std::string> read() override {
    if (!first_.empty()) co_return std::exchange(first_, std::string());
    co_return co_await rest_.read();
  }

 private:
  std::string first_;
  http::Body rest_;
};

// Counts the requests for each ID of /flaky. Keeps the last 1,000 IDs: the oldest is forgotten and starts
// again.
class FlakyCounts {
 public:
  static constexpr std::size_t ids_max = 1'000;
  static constexpr std::size_t id_length_max = 100;

  std::int64_t before_this(const std::string& id) {
    const auto [at, fresh] = counts_.try_emplace(id, 0);
    if (fresh) order_.push_back(id);
    if (order_.size() > ids_max) {
      counts_.erase(order_.front());
      order_.pop_front();
    }
    return at->second++;
  }

 private:
  std::map<std::string, std::int64_t> counts_;
  std::deque<std::string> order_;
};

struct Call {
  http::Request request;
  std::string argument;  // the part of the path after the route's name
  FlakyCounts* flaky_counts;
};

using Handler = Task<http::Response> (*)(Call);

Task<http::Response> hello(Call call) {
  const std::string name = call.request.url.query_parameter("name");
  co_return text(200, name.empty() ? "hello" : "hello " + name);
}

Task<http::Response> echo(Call call) {
  http::Response response(200);
  const std::string type(call.request.headers.get_or("content-type", "application/octet-stream"));
  response.headers.add("Content-Type", type);
  response.body = std::move(call.request.body);
  co_return std::move(response);
}

Task<http::Response> delay(Call call) {
  const std::int64_t milliseconds = std::min(number(call.argument, 0), delay_max_ms);
  co_await sleep(std::chrono::milliseconds(milliseconds));
  co_return text(200, "after " + std::to_string(milliseconds) + " ms\n");
}

Task<http::Response> drip(Call call) {
  const std::int64_t bytes = number(call.request.url.query_parameter("bytes"), 10);
  const std::int64_t pause =
      std::min(number(call.request.url.query_parameter("interval_ms"), 100), delay_max_ms);
  http::Response response = text(200, "");
  response.body = http::Body(std::make_unique<Drip>(bytes, std::chrono::milliseconds(pause)));
  co_return std::move(response);
}

Task<http::Response> status(Call call) {
  const std::int64_t code = number(call.argument, 0);
  if (code < 200 || code > 599) co_return text(400, "a status is a number from 200 to 599\n");
  co_return text(static_cast<int>(code), std::string(http::reason_phrase(static_cast<int>(code))) + "\n");
}

Task<http::Response> redirect(Call call) {
  const std::int64_t left = number(call.argument, 0);
  if (left == 0) co_return co_await hello(std::move(call));
  http::Response response = text(302, "");
  response.headers.add("Location", left > 1 ? "/redirect/" + std::to_string(left - 1) : "/hello");
  co_return std::move(response);
}

Task<http::Response> redirect_to(Call call) {
  http::Response response =
      text(static_cast<int>(number(call.request.url.query_parameter("status"), 302)), "");
  if (response.status < 300 || response.status > 399) co_return text(400, "status must be 3xx\n");
  response.headers.add("Location", call.request.url.query_parameter("url"));
  co_return std::move(response);
}

Task<http::Response> flaky(Call call) {
  const std::int64_t fail = number(call.request.url.query_parameter("fail"), 1);
  const std::int64_t code = number(call.request.url.query_parameter("status"), 503);
  if (call.argument.size() > FlakyCounts::id_length_max)
    co_return text(400, "an ID has at most 100 characters\n");
  if (call.flaky_counts->before_this(call.argument) >= fail) co_return text(200, "fine\n");
  http::Response response = text(code < 200 || code > 599 ? 503 : static_cast<int>(code), "not yet\n");
  const std::string retry_after = call.request.url.query_parameter("retry_after");
  if (!retry_after.empty()) response.headers.add("Retry-After", retry_after);
  co_return std::move(response);
}

Task<http::Response> reset(Call call) {
  if (call.argument == "before-head") co_return Error(Errc::reset, "broken on purpose");
  if (call.argument != "after-head") co_return text(404, "before-head or after-head\n");
  http::Response response = text(200, "");
  response.body = http::Body(std::make_unique<Broken>());
  co_return std::move(response);
}

struct Route {
  std::string_view name;
  Handler handler;
  std::string_view usage;
  std::string_view meaning;
};

constexpr Route routes[] = {
    {"hello", hello, "/hello?name=N", "hello"},
    {"echo", echo, "/echo", "the request body, as it arrives"},
    {"delay", delay, "/delay/MS", "a response after MS milliseconds"},
    {"stall", delay, "/stall/MS", "the same"},
    {"drip", drip, "/drip?bytes=N&interval_ms=MS", "N bytes, one every MS milliseconds"},
    {"status", status, "/status/CODE", "a response with this status"},
    {"redirect", redirect, "/redirect/N", "N redirects, then /hello"},
    {"redirect-to", redirect_to, "/redirect-to?url=U&status=S", "a redirect to U"},
    {"flaky", flaky, "/flaky/ID?fail=N&status=S&retry_after=T",
     "N failures, then 200; counted per ID, for the last 1,000"},
    {"reset", reset, "/reset/before-head, /reset/after-head", "a connection reset at that point"},
};

}  // namespace

std::string serve_routes_help() {
  std::string help = "Routes:\n";
  for (const Route& route : routes) {
    help += "  ";
    help += route.usage;
    help += std::string(route.usage.size() < 42 ? 42 - route.usage.size() : 1, ' ');
    help += route.meaning;
    help += '\n';
  }
  return help;
}

http::Service serve_routes(std::vector<http::Route> more, http::Service otherwise) {
  auto counts = std::make_shared<FlakyCounts>();
  for (const Route& route : routes) {
    const Handler handler = route.handler;
    const auto call = [counts, handler](http::Request request, http::PathParams params) {
      return handler(Call{std::move(request), std::string(params["argument"]), counts.get()});
    };
    const std::string path = '/' + std::string(route.name);
    more.emplace_back("*", path, call);
    more.emplace_back("*", path + "/*argument", call);
  }
  Result<http::Router> router = http::Router::make(std::move(more), std::move(otherwise));
  ESC_CHECK(router);
  return *std::move(router);
}

Task<http::Response> serve_no_route(http::Request) {
  co_return text(404, "no such route; esc-serve --help lists them\n");
}

Task<http::Response> serve_echo(http::Request request) {
  http::Response response(200, http::Headers{{"Content-Type", "text/plain"}}, "hello");
  const std::optional<std::uint64_t> length = request.body.length();
  if (length == 0) co_return std::move(response);
  if (length) {
    response.body = std::move(request.body);
    co_return std::move(response);
  }
  // The first piece shows whether a chunked body is empty.
  std::string first = co_await request.body.read();
  if (!first.empty())
    response.body = http::Body(std::make_unique<Resumed>(std::move(first), std::move(request.body)));
  co_return std::move(response);
}

}  // namespace escapement
