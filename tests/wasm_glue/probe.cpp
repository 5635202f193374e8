// The module that the drivers in this folder load, with tasks and a Worker's service for each question.

#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#include <escapement/core/scope.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>
#include <escapement/wasm_glue/abort_signal.h>
#include <escapement/wasm_glue/events.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/runtime.h>
#include <escapement/wasm_glue/worker.h>

using namespace escapement;

namespace {

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Task<> nap(int milliseconds) { co_await sleep(std::chrono::milliseconds(milliseconds)); }

// Returns how long a sleep took, in microseconds, by the module's own clock.
Task<std::string> slept(std::string milliseconds) {
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  co_await sleep(std::chrono::milliseconds(number(milliseconds)));
  co_return std::to_string((reactor.precise_now() - began).count() / 1000);
}

// Many sleeps at once, of 1 to 50 ms.
Task<std::string> many(std::string count) {
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  const int wanted = number(count);
  for (int i = 0; i < wanted; ++i) scope.spawn(nap(1 + i % 50));
  co_await scope.join();
  co_return count;
}

// Waits for its signal, in a way that the text names, and has a last word.
Task<std::string> parting(std::string how) {
  Reactor& reactor = co_await this_reactor;
  const CancelToken gone = wasm::abort_signal(reactor);
  Result<> outcome = co_await with_cancel(gone, sleep(Duration::max())).result();
  co_await nap(5);
  if (how == "fail") co_await std::move(outcome);
  if (how == "fail otherwise") co_return Error(Errc::internal, "otherwise");
  co_return to_string(outcome.error());
}

Task<std::string> fetched(std::string url) {
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await wasm::HostFetch()(std::move(request));
  std::string body = co_await response.body.text(1 * MiB);
  co_return std::to_string(response.status) + ' ' + body;
}

// The fields that the answer has of one name.
Task<std::string> cookies(std::string url) {
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await wasm::HostFetch()(std::move(request));
  std::string seen;
  for (const http::Headers::Field& field : response.headers) {
    if (http::equal_ignoring_case(field.name, "set-cookie")) seen += field.value + ';';
  }
  co_return std::move(seen);
}

// The body of a URL, or of a request, by reads that are given up after 30 ms and tried again.
Task<std::string> insisting_on(http::Body& body) {
  std::string all;
  for (;;) {
    Result<std::string> piece = co_await with_timeout(30ms, body.read()).result();
    if (!piece && piece.error() != Errc::timed_out) co_return std::move(piece).error();
    if (piece && piece->empty()) co_return std::move(all);
    if (piece) all += *piece;
  }
}
Task<std::string> insisted(std::string url) {
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await wasm::HostFetch()(std::move(request));
  co_return co_await insisting_on(response.body);
}

// A fetch whose limits are 100 ms.
Task<std::string> hurried(std::string url) {
  const wasm::HostFetch fetch({.head_timeout = 100ms, .stall_timeout = 100ms});
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await fetch(std::move(request));
  co_return co_await response.body.text(1 * MiB);
}

// Keeps so many bytes more, for good; yields how many it has.
Task<std::string> hold(std::string bytes) {
  static std::string held;
  held.resize(held.size() + static_cast<std::size_t>(number(bytes)));
  co_return std::to_string(held.size());
}

// Writes by the standard library.
Task<std::string> printed(std::string text) {
  std::printf("printf %s\nand ", text.c_str());
  std::puts("puts");
  std::fprintf(stderr, "to stderr: %s\n", text.c_str());
  co_return std::move(text);
}

// The standard library's clocks: milliseconds since 1970, twice, and how long a sleep of 20 ms took.
Task<std::string> clocks(std::string) {
  const auto began = std::chrono::steady_clock::now();
  co_await sleep(20ms);
  const auto took = std::chrono::steady_clock::now() - began;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  co_return std::to_string(wall / std::chrono::milliseconds(1)) + ' ' + std::to_string(std::time(nullptr)) +
      ' ' + std::to_string(took / std::chrono::milliseconds(1));
}

// Gives back what it is given; fails with it; sleeps and fails.
Task<std::string> echoed(std::string bytes) { co_return std::move(bytes); }
Task<std::string> failing(std::string why) { co_return Error(Errc::internal, std::move(why)); }

// Returns the kind of failure of a fetch, and whether anything may have been sent. Input: "METHOD URL BODY".
Task<std::string> failure_of(std::string input) {
  const std::size_t first = input.find(' ');
  const std::size_t second = input.find(' ', first + 1);
  http::Url url = co_await http::Url::parse(input.substr(first + 1, second - first - 1));
  http::Request request(input.substr(0, first), std::move(url), http::Headers(), input.substr(second + 1));
  Result<http::Response> response = co_await wasm::HostFetch()(std::move(request)).result();
  if (!response)
    co_return to_string(response.error()) + (response.error().maybe_sent() ? " (maybe sent)" : " (not sent)");
  Result<std::string> body = co_await response->body.text(1 * MiB).result();
  if (!body) co_return "in the body: " + to_string(body.error());
  co_return std::to_string(response->status) + ' ' + *body;
}

// The fields that come with a fetch, and how long its body is.
Task<std::string> fields_of(std::string input) {
  const std::size_t blank = input.find(' ');
  http::Request request(input.substr(0, blank), co_await http::Url::parse(input.substr(blank + 1)));
  http::Response response = co_await wasm::HostFetch()(std::move(request));
  std::string seen;
  for (const http::Headers::Field& field : response.headers) {
    if (field.name.starts_with("content-") || field.name.starts_with("x-"))
      seen += field.name + '=' + field.value + ';';
  }
  const std::string body = co_await response.body.text(1 * MiB);
  co_return seen + std::to_string(body.size());
}

// A body of two pieces, then as many milliseconds of rest, then a failure.
class BreakingBody final : public http::BodySource {
 public:
  explicit BreakingBody(int milliseconds) : milliseconds_(milliseconds) {}
  Task<std::string> read() override {
    if (++reads_ <= 2) co_return std::string("piece");
    co_await sleep(std::chrono::milliseconds(milliseconds_));
    co_return Error(Errc::internal, "broken on purpose");
  }

 private:
  int milliseconds_;
  int reads_ = 0;
};

// Passes on what another body yields, having looked at it.
class Looked final : public http::BodySource {
 public:
  explicit Looked(http::Body body) : body_(std::move(body)) {}
  Task<std::string> read() override { return body_.read(); }

 private:
  http::Body body_;
};

// So many pieces of 64 KiB, with a rest after each; the last one is a failure where that is negative.
class Pieces final : public http::BodySource {
 public:
  Pieces(int count, int milliseconds) : count_(count), milliseconds_(milliseconds) {}
  Task<std::string> read() override {
    if (count_-- <= 0) {
      if (milliseconds_ < 0) co_return Error(Errc::internal, "broken on purpose");
      co_return std::string();
    }
    co_await sleep(std::chrono::milliseconds(milliseconds_));
    co_return std::string(65536, 'p');
  }

 private:
  int count_;
  int milliseconds_;
};

Task<> one_of_many(const http::Service& service, http::Url url, int& right) {
  http::Request request("GET", std::move(url));
  Result<http::Response> response = co_await service(std::move(request)).result();
  if (!response) co_return;
  const std::string body = co_await response->body.text(1 * MiB);
  if (response->status == 200) ++right;
}

// Returns how many of so many fetches at once went right.
Task<std::string> parallel(std::string url, int count) {
  Reactor& reactor = co_await this_reactor;
  http::Retry retry;
  retry.attempts = 1;
  const http::Service service = http::layered(retry, http::Timeout{200ms}, wasm::HostFetch({.heads_max = 6}));
  const http::Url target = co_await http::Url::parse(url);
  int right = 0;
  Scope scope(reactor, nullptr);
  for (int i = 0; i < count; ++i) scope.spawn(one_of_many(service, target, right));
  co_await scope.join();
  co_return std::to_string(right);
}

// Its scope goes, with the failure that nobody has taken.
Task<std::string> forgetting(std::string why) {
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  scope.spawn(
      [](std::string text) -> Task<> { co_await Error(Errc::internal, std::move(text)); }(std::move(why)));
  co_await sleep(5ms);
  co_return "done";
}

Task<> fail_later() {
  co_await sleep(5ms);
  co_await Error(Errc::internal, "nobody waits for it");
}

// A fetch with a limit of 100 ms.
Task<std::string> impatient(std::string url) {
  const http::Service service = http::layered(http::Timeout{100ms}, wasm::HostFetch());
  http::Request request("GET", co_await http::Url::parse(url));
  Result<http::Response> outcome = co_await service(std::move(request)).result();
  if (!outcome) co_return to_string(outcome.error());
  co_return std::to_string(outcome->status);
}

// Sleeps, fetches, sleeps: in one coroutine.
Task<http::Response> sleep_fetch_sleep(http::Request request) {
  const int milliseconds = number(request.url.query_parameter("ms"));
  const std::string backend = request.url.query_parameter("backend");
  co_await sleep(std::chrono::milliseconds(milliseconds));
  const std::string answer = co_await fetched(backend + "/hello?name=" + std::to_string(milliseconds));
  co_await sleep(std::chrono::milliseconds(milliseconds));
  co_return http::Response(200, answer);
}

Task<> leave_a_note(std::string url) {
  co_await sleep(50ms);
  std::string ignored = co_await fetched(url);
}

// Events of the host, as text.
std::string seen;
Task<> see_later(std::string text) {
  co_await sleep(5ms);
  seen += text;
}
Task<> on_schedule(wasm::Scheduled event) {
  Reactor& reactor = co_await this_reactor;
  co_await sleep(5ms);
  if (event.cron == "fail") co_await Error(Errc::unavailable, "no store");
  seen +=
      event.time.rfc3339() + " [" + event.cron + "] " + wasm::env(reactor, "GREETING").value_or("none") + ';';
  wasm::wait_until(reactor, see_later("afterwards;"));
}
Task<> on_traces(std::string traces) {
  seen += traces;
  co_return;
}
Task<std::string> events_seen(std::string) { co_return std::exchange(seen, std::string()); }

Task<http::Response> serve(http::Request request) {
  Reactor& reactor = co_await this_reactor;
  const std::string path = request.url.path();
  if (path == "/hello") co_return http::Response(200, "hello");
  if (path == "/slept") {
    std::string text = co_await slept(request.url.query_parameter("ms"));
    co_return http::Response(200, std::move(text));
  }
  if (path == "/many") {
    std::string text = co_await many(request.url.query_parameter("n"));
    co_return http::Response(200, std::move(text));
  }
  if (path == "/sfs") co_return co_await sleep_fetch_sleep(std::move(request));
  if (path == "/trap") __builtin_trap();
  if (path == "/fail") co_return Error(Errc::internal, "on purpose");
  if (path == "/events") {
    std::string text = co_await events_seen(std::string());
    co_return http::Response(200, std::move(text));
  }
  if (path == "/env") co_return http::Response(200, wasm::env(reactor, "GREETING").value_or("none"));
  if (path == "/cookies") {
    std::string text = co_await cookies(request.url.query_parameter("url"));
    co_return http::Response(200, std::move(text));
  }
  if (path == "/odd-status") {
    co_return http::Response(number(request.url.query_parameter("status")), "a body");
  }
  if (path == "/odd-field") co_return http::Response(200, http::Headers{{"X", "\xe2\x82\xac"}}, "euro");
  if (path == "/outlive") {
    wasm::wait_until(reactor, leave_a_note(request.url.query_parameter("url")));
    co_return http::Response(200, "sent");
  }
  if (path == "/outlive-failing") {
    wasm::wait_until(reactor, fail_later());
    co_return http::Response(200, "sent");
  }
  if (path == "/breaking") {
    http::Response response(number(request.url.query_parameter("status")));
    response.body = http::Body(std::make_unique<BreakingBody>(number(request.url.query_parameter("ms"))));
    co_return std::move(response);
  }
  if (path == "/relay") {
    http::Request onward("GET", co_await http::Url::parse(request.url.query_parameter("url")));
    co_return co_await wasm::HostFetch()(std::move(onward));
  }
  // A fetch with a limit, whose response is passed on.
  if (path == "/timed") {
    const http::Service service = http::layered(http::Timeout{5s}, wasm::HostFetch());
    http::Request onward("GET", co_await http::Url::parse(request.url.query_parameter("url")));
    co_return co_await service(std::move(onward));
  }
  // The same with a body that C++ reads and sends on, and that it only reads.
  if (path == "/pumped" || path == "/counted") {
    http::Request onward("GET", co_await http::Url::parse(request.url.query_parameter("url")));
    http::Response response = co_await wasm::HostFetch()(std::move(onward));
    if (path == "/counted") {
      std::size_t bytes = 0;
      for (;;) {
        const std::string piece = co_await response.body.read();
        if (piece.empty()) break;
        bytes += piece.size();
      }
      co_return http::Response(200, std::to_string(bytes));
    }
    const std::string_view marked = response.headers.get_or("x-none", "");
    response.body = http::Body(std::make_unique<Looked>(std::move(response.body)));
    co_return http::Response(marked.empty() ? 200 : 500, std::move(response.body));
  }
  // The request's body to a fetch, as it is, and from a source in C++.
  if (path == "/upload" || path == "/generate") {
    http::Body body = std::move(request.body);
    if (path == "/generate") {
      body = http::Body(std::make_unique<Pieces>(number(request.url.query_parameter("n")),
                                                 number(request.url.query_parameter("ms"))));
    }
    http::Request onward("POST", co_await http::Url::parse(request.url.query_parameter("url")), {},
                         std::move(body));
    co_return co_await wasm::HostFetch({.heads_max = 6})(std::move(onward));
  }
  // Many fetches at once under a cap of six, each attempt with 200 ms.
  if (path == "/parallel") {
    std::string url = request.url.query_parameter("url");
    std::string text = co_await parallel(std::move(url), number(request.url.query_parameter("n")));
    co_return http::Response(200, std::move(text));
  }
  if (path == "/fields") {
    http::Headers fields;
    fields.add("x-back",
               request.headers.get("x-there") != nullptr ? *request.headers.get("x-there") : "none");
    fields.add("x-size", std::to_string(fields.get("x-back")->size()));
    co_return http::Response(200, std::move(fields), "");
  }
  if (path == "/read-first") {
    const std::string piece = co_await request.body.read();
    co_return http::Response(200, piece);
  }
  if (path == "/length") {
    Result<std::string> body = co_await request.body.text(1 * MiB).result();
    co_return http::Response(200, body ? std::to_string(body->size()) : to_string(body.error()));
  }
  if (path == "/insist") {
    std::string all = co_await insisting_on(request.body);
    co_return http::Response(200, std::move(all));
  }
  if (path == "/collect") {
    std::string all = co_await request.body.text(64 * MiB);
    co_return http::Response(200, std::move(all));
  }
  if (path == "/forever") co_await sleep(Duration::max());
  if (path == "/parting") {
    const CancelToken gone = wasm::abort_signal(reactor);
    co_await gone.wait();
    co_await leave_a_note(request.url.query_parameter("url"));
    co_return http::Response(200, to_string(gone.reason()));
  }
  if (path == "/insisted" || path == "/hurried") {
    std::string url = request.url.query_parameter("url");
    Result<std::string> outcome = Error(Errc::internal);
    if (path == "/hurried") {
      outcome = co_await hurried(std::move(url)).result();
    } else {
      outcome = co_await insisted(std::move(url)).result();
    }
    co_return http::Response(200, outcome ? *std::move(outcome) : to_string(outcome.error()));
  }
  if (path == "/echo") {
    http::Response response(200);
    response.body = std::move(request.body);
    co_return std::move(response);
  }
  co_return http::Response(404);
}

}  // namespace

ESC_SCHEDULED(on_schedule)
ESC_TAIL(on_traces)
ESC_TASK(events_seen)
ESC_TASK(slept)
ESC_TASK(many)
ESC_TASK(parting)
ESC_TASK(fetched)
ESC_TASK(cookies)
ESC_TASK(impatient)
ESC_TASK(printed)
ESC_TASK(hold)
ESC_TASK(clocks)
ESC_TASK(echoed)
ESC_TASK(failing)
ESC_TASK(forgetting)
ESC_TASK(failure_of)
ESC_TASK(fields_of)
ESC_TASK(insisted)
ESC_TASK(hurried)
ESC_WORKER(serve, {.body_idle = 500ms, .write_stall = 500ms})
