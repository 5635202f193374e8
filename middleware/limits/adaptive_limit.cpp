#include <escapement/middleware/limits/adaptive_limit.h>

#include <algorithm>

#include <escapement/core/event.h>
#include <escapement/core/list.h>
#include <escapement/middleware/limits/detail/too_busy.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

bool says_too_many(const Attempt& attempt) {
  if (const Error* const error = attempt.error()) {
    return error->code() == Errc::timed_out || error->code() == Errc::overloaded ||
           error->code() == Errc::unavailable;
  }
  return attempt.response()->status == 429 || attempt.response()->status == 503;
}

// A long average of response times, of the first ten and then weighted.
class LongAverage {
 public:
  // Adds a time above zero, and returns the average. One that is far above the times of the moment falls.
  double add(double time) {
    count_ = std::min(count_ + 1, 600.0);
    const double share = count_ <= 10 ? 1 / count_ : 2.0 / 601;
    average_ += (time - average_) * share;
    if (average_ > 2 * time) average_ *= 0.95;
    return average_;
  }

 private:
  double count_ = 0;
  double average_ = 0;
};

}  // namespace

class AdaptiveLimit::State {
 public:
  class Place;
  class InQueue;

  explicit State(AdaptiveLimitOptions options) : options_(std::move(options)) {
    ESC_CHECK(options_.decrease > 0 && options_.decrease < 1);
    ESC_CHECK(options_.tolerance >= 1);
    options_.least = std::max<std::size_t>(1, options_.least);
    options_.most = std::max(options_.least, options_.most);
    limit_ = static_cast<double>(std::clamp(options_.first, options_.least, options_.most));
    if (!options_.overloaded) options_.overloaded = says_too_many;
  }

  // A request in the queue.
  struct Waiter : ListNode {
    Event admitted;
  };

  const AdaptiveLimitOptions& options() const { return options_; }
  std::size_t limit() const { return static_cast<std::size_t>(limit_); }
  std::size_t running() const { return running_; }
  std::size_t waiting() const { return waiting_count_; }

  // Returns whether a request may pass at once; it counts then.
  bool pass() {
    if (running_ >= limit() || !queue_.empty()) return false;
    ++running_;
    return true;
  }
  void join(Waiter& waiter) {
    queue_.push_back(waiter);
    ++waiting_count_;
  }
  // Takes a waiter out of the queue, whether it was admitted or not.
  void leave() { --waiting_count_; }
  // One request is over.
  void over() {
    --running_;
    admit();
  }

  void note(const Attempt& attempt, Instant began, Instant now) {
    if (attempt.error() != nullptr && attempt.error()->code() == Errc::cancelled) return;
    const bool gradient = options_.rule == AdaptiveRule::gradient;
    const bool slow = !gradient && now - began > options_.slow;
    if (options_.overloaded(attempt) || slow) {
      if (began < decreased_at_) return;
      decreased_at_ = now;
      limit_ = std::max(limit_ * options_.decrease, static_cast<double>(options_.least));
      return;
    }
    if (attempt.error() != nullptr) return;
    const double steps = gradient ? change(now - began) : 1 / limit_;
    if (2 * running_ < limit()) return;
    limit_ =
        std::clamp(limit_ + steps, static_cast<double>(options_.least), static_cast<double>(options_.most));
    admit();
  }

 private:
  // Returns by how much a response time moves the limit.
  double change(Duration taken) {
    const double time = static_cast<double>(std::max(Duration::nanoseconds(1), taken).count());
    const double gradient = std::clamp(options_.tolerance * average_.add(time) / time, 0.5, 1.0);
    constexpr double queue = 4;      // that may always be there
    constexpr double at_once = 0.2;  // of the way to the new limit
    return at_once * (limit_ * gradient + queue - limit_);
  }
  void admit() {
    while (running_ < limit() && !queue_.empty()) {
      ++running_;
      queue_.pop_front()->admitted.set();
    }
  }

  AdaptiveLimitOptions options_;
  double limit_ = 0;
  std::size_t running_ = 0;
  std::size_t waiting_count_ = 0;
  List<Waiter> queue_;  // without those that were admitted
  Instant decreased_at_;
  LongAverage average_;
};

// A place among those that run, given back at the end.
class AdaptiveLimit::State::Place final : public BodyAttachment {
 public:
  explicit Place(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Place() override { state_->over(); }

 private:
  std::shared_ptr<State> state_;
};

// A place in the queue. One that was admitted and does not use that gives it back.
class AdaptiveLimit::State::InQueue {
 public:
  explicit InQueue(State& state) : state_(state) { state_.join(waiter_); }
  InQueue(const InQueue&) = delete;
  ~InQueue() {
    state_.leave();
    if (waiter_.admitted.is_set() && !used_) state_.over();
  }
  Event::Wait wait() { return waiter_.admitted.wait(); }
  // Returns whether it was admitted, and counts then.
  bool use() { return used_ = waiter_.admitted.is_set(); }

 private:
  State& state_;
  Waiter waiter_;  // leaves the list by itself
  bool used_ = false;
};

AdaptiveLimit::AdaptiveLimit(AdaptiveLimitOptions options)
    : state_(std::make_shared<State>(std::move(options))) {}

std::size_t AdaptiveLimit::limit() const { return state_->limit(); }
std::size_t AdaptiveLimit::running() const { return state_->running(); }
std::size_t AdaptiveLimit::waiting() const { return state_->waiting(); }

Task<Response> AdaptiveLimit::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<State> state = state_;
  if (!state->pass()) {
    if (state->waiting() >= state->options().waiting_max) co_return detail::too_busy();
    State::InQueue place(*state);
    Result<> waited = co_await with_timeout(state->options().wait_max, place.wait()).result();
    (void)waited;  // a place that came in the turn in which the limit expired is used
    if (!place.use()) co_return detail::too_busy();
  }
  auto held = std::make_unique<State::Place>(state);
  const Instant began = reactor.precise_now();
  Result<Response> outcome = co_await next(std::move(request)).result();
  state->note(outcome ? Attempt(*outcome) : Attempt(outcome.error()), began, reactor.precise_now());
  if (outcome) outcome->body.attach(std::move(held));
  co_return std::move(outcome);
}

}  // namespace escapement::http
