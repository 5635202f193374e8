#include <escapement/middleware/limits/concurrency_limit.h>

#include <algorithm>

#include <escapement/core/detail/defer.h>
#include <escapement/middleware/limits/detail/too_busy.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

struct ConcurrencyLimit::State {
  explicit State(ConcurrencyLimits l) : limits(l), permits(std::max<std::size_t>(1, l.running_max)) {
    limits.running_max = std::max<std::size_t>(1, limits.running_max);
  }
  ConcurrencyLimits limits;
  Semaphore permits;
  std::size_t waiting = 0;
};

namespace {

// A permit, with the state to return it to.
class HeldPermit final : public BodyAttachment {
 public:
  HeldPermit(std::shared_ptr<void> state, Semaphore::Permit permit)
      : state_(std::move(state)), permit_(std::move(permit)) {}

 private:
  std::shared_ptr<void> state_;  // first: destroyed last
  Semaphore::Permit permit_;
};

Task<Semaphore::Permit> acquire(Semaphore& permits) {
  Semaphore::Permit permit = co_await permits.acquire();
  co_return std::move(permit);
}

}  // namespace

ConcurrencyLimit::ConcurrencyLimit(ConcurrencyLimits limits) : state_(std::make_shared<State>(limits)) {}

std::size_t ConcurrencyLimit::running() const {
  return state_->limits.running_max - state_->permits.available();
}
std::size_t ConcurrencyLimit::waiting() const { return state_->waiting; }

Task<Response> ConcurrencyLimit::operator()(Request request, const Service& next) const {
  const std::shared_ptr<State> state = state_;
  const bool must_wait = state->permits.available() == 0 || state->waiting > 0;
  if (must_wait && state->waiting >= state->limits.waiting_max) co_return detail::too_busy();
  std::unique_ptr<BodyAttachment> held;
  {
    ++state->waiting;
    const Defer waited([&waiting = state->waiting] { --waiting; });
    Result<Semaphore::Permit> permit =
        co_await with_timeout(state->limits.wait_max, acquire(state->permits)).result();
    if (!permit) co_return detail::too_busy();
    held = std::make_unique<HeldPermit>(state, *std::move(permit));
  }
  Response response = co_await next(std::move(request));
  response.body.attach(std::move(held));
  co_return std::move(response);
}

}  // namespace escapement::http
