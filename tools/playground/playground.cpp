// The module of the playground: how late sleeps are in this host, and a client with a retry policy beside a
// flaky server, in simulated time.

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/trace.h>
#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/runtime.h>

using namespace escapement;

namespace {

// Sleeps for so many milliseconds; returns how late it woke, in milliseconds.
Task<std::string> late(std::string milliseconds) {
  const int length = parse_number<int>(milliseconds).value_or(1);
  Reactor& reactor = co_await this_reactor;
  const Instant deadline = reactor.precise_now() + std::chrono::milliseconds(length);
  co_await sleep_until(deadline);
  const std::int64_t micros = (reactor.precise_now() - deadline).count() / 1000;
  co_return std::to_string(static_cast<double>(micros) / 1000);
}

// The page's fields, as a query: "attempts=3&backoff=100".
class Settings {
 public:
  explicit Settings(http::Url url) : url_(std::move(url)) {}
  int number(std::string_view name, int most) const {
    const int value = parse_number<int>(url_.query_parameter(name)).value_or(0);
    return std::clamp(value, 0, most);
  }
  Duration time(std::string_view name) const { return std::chrono::milliseconds(number(name, 3'600'000)); }

 private:
  http::Url url_;
};

// Responds after up to `delay`; to some requests with a 503, to others never.
class FlakyServer {
 public:
  FlakyServer(const Settings& settings, std::uint64_t seed)
      : failing_(settings.number("failing", 100)),
        silent_(settings.number("silent", 100)),
        retry_after_(settings.number("retry_after", 3600)),
        delay_(settings.time("delay")),
        random_(seed) {}

  Task<http::Response> operator()(http::Request) {
    const int drawn = static_cast<int>(random_.up_to(99));
    const std::uint64_t pause = random_.up_to(static_cast<std::uint64_t>(delay_.count()));
    if (drawn < silent_) co_await sleep(1h);
    co_await sleep(Duration::nanoseconds(static_cast<std::int64_t>(pause)));
    if (drawn >= silent_ + failing_) co_return http::Response(200, "here");
    http::Response failed(503);
    if (retry_after_ > 0) failed.headers.add("Retry-After", std::to_string(retry_after_));
    co_return std::move(failed);
  }

 private:
  int failing_;
  int silent_;
  int retry_after_;
  Duration delay_;
  Random random_;
};

// The events of one call as lines: "KIND FROM UNTIL WHAT", times in milliseconds since its beginning.
class Timeline {
 public:
  explicit Timeline(Instant began) : began_(began) {}

  void add(std::string_view kind, Instant from, Instant until, std::string_view what) {
    lines_ += kind;
    for (const Instant at : {from, until}) lines_ += ' ' + std::to_string((at - began_).count() / 1'000'000);
    lines_ += ' ';
    lines_ += what;
    lines_ += '\n';
  }
  http::Trace trace(std::string kind) {
    return http::Trace{[this, kind = std::move(kind)](const http::TraceEvent& event) {
      using Kind = http::TraceEvent::Kind;
      if (event.kind == Kind::started) return;
      std::string what = "cancelled";
      if (event.kind == Kind::answered) what = "status " + std::to_string(event.status);
      if (event.kind == Kind::failed) what = to_string(*event.error);
      add(kind, event.began, event.at, what);
    }};
  }
  std::string take() { return std::move(lines_); }

 private:
  Instant began_;
  std::string lines_;
};

Task<int> get(http::Service api) {
  http::Request request("GET", co_await http::Url::parse("http://flaky/"));
  http::Response response = co_await api(std::move(request));
  co_return response.status;
}

// One call in simulated time; returns its timeline.
Task<std::string> simulated(std::string fields) {
  const Settings settings(co_await http::Url::parse("http://page/?" + fields));
  const auto seed = static_cast<std::uint64_t>(settings.number("seed", 1'000'000));
  Sim sim{Seed(seed)};
  FlakyServer flaky(settings, seed);
  http::Server server([&flaky](http::Request request) { return flaky(std::move(request)); });
  sim.network().add_host("flaky");
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "flaky:80"));
  sim.settle();

  Timeline timeline(sim.reactor().now());
  http::Retry retry;
  retry.attempts = std::max(settings.number("attempts", 20), 1);
  retry.backoff = settings.time("backoff");
  retry.backoff_max = settings.time("backoff_max");
  retry.jitter = settings.number("jitter", 1) == 1 ? http::Jitter::full : http::Jitter::none;
  retry.observer = [&](const http::RetryNotice& notice) {
    timeline.add("wait", sim.reactor().now(), sim.reactor().now() + notice.delay, "backoff");
  };
  const http::Service api = http::layered(
      timeline.trace("call"), http::Timeout{settings.time("whole")}, std::move(retry),
      timeline.trace("attempt"), http::Timeout{settings.time("per_try")}, http::Client(sim.network()));
  Result<int> status = sim.run(get(api));
  scope.cancel();
  co_return timeline.take();
}

}  // namespace

ESC_TASK(late)
ESC_TASK(simulated)
