#include <escapement/middleware/client/github_queue.h>

#include <algorithm>
#include <array>
#include <deque>

#include <escapement/core/detail/defer.h>
#include <escapement/core/event.h>
#include <escapement/core/mutex.h>
#include <escapement/middleware/client/retry_policy.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

namespace {

// When things happened within the last so much time, to say when the next one may.
class Window {
 public:
  Window(Duration length, std::size_t most) : length_(length), most_(most) {}

  // Returns the first instant, from `now` on, at which `points` more fit.
  Instant fits(std::size_t points, Instant now) {
    while (!taken_.empty() && taken_.front().at + length_ <= now) drop_first();
    std::size_t held = held_;
    for (const Taken& taken : taken_) {
      if (held + points <= most_) return now;
      held -= taken.points;
      now = taken.at + length_;
    }
    return now;
  }
  void take(std::size_t points, Instant now) {
    taken_.push_back(Taken{now, points});
    held_ += points;
  }

 private:
  struct Taken {
    Instant at;
    std::size_t points;
  };
  void drop_first() {
    held_ -= taken_.front().points;
    taken_.pop_front();
  }

  Duration length_;
  std::size_t most_;
  std::size_t held_ = 0;
  std::deque<Taken> taken_;
};

Response refusal(int status, Duration wait) {
  const std::int64_t seconds = (wait + (Duration(1s) - Duration(1ns))) / Duration(1s);
  return Response(status,
                  Headers{{"Content-Type", "text/plain"},
                          {"Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1))}},
                  "not sent: a limit of GitHub would be passed\n");
}

class HeldPlace final : public BodyAttachment {
 public:
  HeldPlace(std::shared_ptr<void> state, Semaphore::Permit permit)
      : state_(std::move(state)), permit_(std::move(permit)) {}

 private:
  std::shared_ptr<void> state_;  // first: destroyed last
  Semaphore::Permit permit_;
};

// The primary limits that GitHub counts apart, by their names in X-RateLimit-Resource.
enum class Resource { core, search, code_search, graphql };
constexpr std::array<std::string_view, 4> resource_names{"core", "search", "code_search", "graphql"};

// Returns the limit that a request counts for, by its path; an Enterprise server's begins with "/api".
Resource resource_of(const Url& url) {
  const std::string_view path = url.path();
  if (path.ends_with("/graphql") && !path.starts_with("/repos/")) return Resource::graphql;
  const std::size_t search = path.find("/search/");
  if (search == path.npos || path.substr(0, search).find("/repos/") != path.npos) return Resource::core;
  return path.substr(search) == "/search/code" ? Resource::code_search : Resource::search;
}

// Returns the limit that a response is about: the one that it names, if that is known, else the request's.
Resource resource_in(const Headers& headers, Resource asked) {
  const std::string_view named = headers.get_or("x-ratelimit-resource", "");
  const auto at = std::find(resource_names.begin(), resource_names.end(), named);
  return at == resource_names.end() ? asked : static_cast<Resource>(at - resource_names.begin());
}

bool reads(const Method& method) {
  return method == Method::get() || method == Method::head() || method == Method::options();
}

}  // namespace

class GitHubQueue::State {
 public:
  explicit State(GitHubQueueOptions options)
      : options_(options),
        places(std::max<std::size_t>(1, options.running_max)),
        points_(60s, options.points_a_minute),
        minute_(60s, options.writes_a_minute),
        hour_(1h, options.writes_an_hour) {
    ESC_CHECK(options.running_max >= 1 && options.points_a_minute >= 5 && options.writes_a_minute >= 1 &&
                  options.writes_an_hour >= 1 && options.waiting_max >= 1,
              "a GitHubQueue that lets nothing through");
  }

  bool full() const { return waiting >= options_.waiting_max; }

  // Waits until a write may begin, but for the points. Returns false if that is after `deadline`.
  Task<bool> write_turn(Instant deadline) {
    Reactor& reactor = co_await this_reactor;
    for (;;) {
      const Instant now = reactor.precise_now();
      Instant at = std::max(minute_.fits(1, now), hour_.fits(1, now));
      if (wrote_) at = std::max(at, *wrote_ + options_.between_writes);
      if (at >= deadline) co_return false;
      if (at <= now) break;
      co_await sleep_until(at);
    }
    co_return true;
  }
  // Waits until `points` fit. Returns false if that is after `deadline`.
  Task<bool> points_turn(std::size_t points, Instant deadline) {
    Reactor& reactor = co_await this_reactor;
    for (;;) {
      const Instant now = reactor.precise_now();
      const Instant at = points_.fits(points, now);
      if (at >= deadline) co_return false;
      if (at <= now) break;
      co_await sleep_until(at);
    }
    co_return true;
  }
  void count(std::size_t points, bool writes, Instant now) {
    points_.take(points, now);
    if (!writes) return;
    minute_.take(1, now);
    hour_.take(1, now);
    wrote_ = now;
  }

  // Returns how long nothing that counts for `resource` may be sent from `now` on.
  Duration closed_for(Resource resource, Instant now) const {
    return std::max(Duration(), closed_until_[static_cast<std::size_t>(resource)] - now);
  }
  void see(const Response& response, Resource asked, Reactor& reactor) {
    if (response.status != 403 && response.status != 429) return;
    if (response.headers.get_or("x-ratelimit-remaining", "") != "0") return;
    Headers limit = response.headers;
    limit.remove("retry-after");
    const Response primary(403, std::move(limit), Body());
    const RetryDecision decision = decide(true, Attempt(primary), reactor.backend().system_now());
    if (!decision.server_delay || *decision.server_delay > Duration(2h)) return;  // no date that GitHub gives
    Instant& until = closed_until_[static_cast<std::size_t>(resource_in(response.headers, asked))];
    until = std::max(until, reactor.precise_now() + *decision.server_delay);
  }

 private:
  GitHubQueueOptions options_;

 public:
  Semaphore places;
  Mutex writers;   // held by the write whose turn comes next
  Mutex in_order;  // held by the request whose turn comes next
  std::size_t waiting = 0;

 private:
  Window points_;
  Window minute_;
  Window hour_;
  std::optional<Instant> wrote_;
  std::array<Instant, resource_names.size()> closed_until_ = {};
};

GitHubQueue::GitHubQueue(GitHubQueueOptions options) : state_(std::make_shared<State>(options)) {}

std::size_t GitHubQueue::waiting() const { return state_->waiting; }

Task<Response> GitHubQueue::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<State> state = state_;
  if (state->full()) co_return refusal(503, 1s);
  const Resource resource = resource_of(request.url);
  std::unique_ptr<BodyAttachment> held;
  {
    ++state->waiting;
    const Defer waited([&waiting = state->waiting] { --waiting; });
    const bool writes = !reads(request.method);
    const std::size_t points = writes ? 5 : 1;
    Mutex::Guard writer;
    if (writes) {
      Mutex::Guard first = co_await state->writers.lock();
      writer = std::move(first);
      const bool in_time = co_await state->write_turn(request.deadline);
      if (!in_time) co_return refusal(503, 1s);
    }
    Mutex::Guard guard = co_await state->in_order.lock();
    const bool in_time = co_await state->points_turn(points, request.deadline);
    if (!in_time) co_return refusal(503, 1s);
    Semaphore::Permit place = co_await state->places.acquire();
    const Duration closed = state->closed_for(resource, reactor.precise_now());
    if (closed > Duration()) co_return refusal(429, closed);
    state->count(points, writes, reactor.precise_now());
    held = std::make_unique<HeldPlace>(state, std::move(place));
  }
  Response response = co_await next(std::move(request));
  state->see(response, resource, reactor);
  response.body.attach(std::move(held));
  co_return std::move(response);
}

}  // namespace escapement::http
