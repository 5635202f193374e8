#include <escapement/middleware/limits/load_shed.h>

#include <algorithm>

#include <escapement/core/event.h>
#include <escapement/core/list.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

class LoadShed::State {
 public:
  class Place;
  class InQueue;

  // A request in the queue.
  struct Waiter : ListNode {
    Event admitted;
  };

  explicit State(LoadShedOptions o) : options(o) {
    options.running_max = std::max<std::size_t>(1, options.running_max);
    options.retry_after = std::max(Duration(1s), options.retry_after);
  }

  // Returns whether a request may pass at once; it counts then.
  bool pass() {
    if (running >= options.running_max) return false;
    ++running;
    return true;
  }
  // Returns whether the queue has not been empty for too long.
  bool stands(Instant now) const { return waiting > 0 && now - filled_at > options.interval; }

  void join(Waiter& waiter, Instant now) {
    if (waiting == 0) filled_at = now;
    ++waiting;
    queue.push_back(waiter);
  }
  // One request is over: the next one may pass, the youngest of a standing queue.
  void over(Instant now) {
    if (queue.empty()) {
      --running;
      return;
    }
    Waiter& next = stands(now) ? queue.back() : queue.front();
    next.unlink();
    next.admitted.set();
  }

  Response refuse() {
    ++refused;
    const std::int64_t seconds =
        (options.retry_after + Duration(1s) - Duration::nanoseconds(1)) / Duration(1s);
    Response response(503, Headers{{"Content-Type", "text/plain"}}, "overloaded\n");
    response.headers.add("Retry-After", std::to_string(seconds));
    return response;
  }

  LoadShedOptions options;
  std::size_t running = 0;
  std::size_t waiting = 0;  // those that were admitted and have not run yet included
  std::uint64_t refused = 0;
  Instant filled_at;  // when the queue was empty last
  List<Waiter> queue;
};

// A place among those that run, given back at the end.
class LoadShed::State::Place final : public BodyAttachment {
 public:
  Place(std::shared_ptr<State> state, Reactor& reactor) : state_(std::move(state)), reactor_(reactor) {}
  ~Place() override { state_->over(reactor_.precise_now()); }

 private:
  std::shared_ptr<State> state_;
  Reactor& reactor_;
};

// A place in the queue. One that was admitted and does not use that passes it on.
class LoadShed::State::InQueue {
 public:
  InQueue(State& state, Reactor& reactor, Instant now) : state_(state), reactor_(reactor) {
    state_.join(waiter_, now);
  }
  InQueue(const InQueue&) = delete;
  ~InQueue() {
    --state_.waiting;
    if (waiter_.admitted.is_set() && !used_) state_.over(reactor_.precise_now());
  }
  Event::Wait wait() { return waiter_.admitted.wait(); }
  bool use() { return used_ = waiter_.admitted.is_set(); }

 private:
  State& state_;
  Reactor& reactor_;
  Waiter waiter_;  // leaves the list by itself
  bool used_ = false;
};

LoadShed::LoadShed(LoadShedOptions options) : state_(std::make_shared<State>(options)) {}

std::size_t LoadShed::running() const { return state_->running; }
std::size_t LoadShed::waiting() const { return state_->waiting; }
std::uint64_t LoadShed::refused() const { return state_->refused; }

Task<Response> LoadShed::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<State> state = state_;
  const Instant now = reactor.precise_now();
  if (request.deadline <= now) co_return state->refuse();
  if (!state->pass()) {
    if (state->waiting >= state->options.waiting_max) co_return state->refuse();
    Duration most = state->stands(now) ? state->options.target : state->options.wait_max;
    if (request.deadline != Instant::never()) most = std::min(most, request.deadline - now);
    State::InQueue place(*state, reactor, now);
    Result<> waited = co_await with_timeout(most, place.wait()).result();
    (void)waited;  // a place that came in the turn in which the limit expired is used
    if (!place.use()) co_return state->refuse();
  }
  auto held = std::make_unique<State::Place>(state, reactor);
  Response response = co_await next(std::move(request));
  response.body.attach(std::move(held));
  co_return std::move(response);
}

}  // namespace escapement::http
