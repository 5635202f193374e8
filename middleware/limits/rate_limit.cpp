#include <escapement/middleware/limits/rate_limit.h>

#include <algorithm>
#include <list>
#include <unordered_map>

namespace escapement::http {

class RateLimit::Buckets {
 public:
  explicit Buckets(RateLimits limits)
      : limits_(std::move(limits)),
        interval_(std::chrono::duration<double>(1 / limits_.per_second)),
        capacity_(interval_ * static_cast<std::int64_t>(std::max<std::size_t>(1, limits_.burst))) {
    ESC_CHECK(limits_.per_second > 0);
    limits_.keys_max = std::max<std::size_t>(1, limits_.keys_max);
  }

  // Takes a token and returns zero, or returns the wait until there is one.
  Duration take(const Request& request, Instant now) {
    forget_full(now);
    Bucket& bucket = find(limits_.key(request), now);
    const Instant full_at = std::max(bucket.full_at, now) + interval_;
    const Duration excess = full_at - now - capacity_;
    if (excess > Duration()) return excess;
    bucket.full_at = full_at;
    return Duration();
  }

  std::size_t size() const { return by_key_.size(); }

 private:
  struct Bucket {
    std::string key;
    Instant full_at;
  };

  // Checks two buckets per call, more than one call adds, so full buckets are forgotten in the end.
  void forget_full(Instant now) {
    for (int i = 0; i < 2 && !by_use_.empty() && by_use_.back().full_at <= now; ++i) forget_last();
  }
  void forget_last() {
    by_key_.erase(by_use_.back().key);
    by_use_.pop_back();
  }

  Bucket& find(std::string key, Instant now) {
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second);
      return by_use_.front();
    }
    if (by_key_.size() == limits_.keys_max) forget_last();
    by_use_.push_front(Bucket{std::move(key), now});
    by_key_.emplace(by_use_.front().key, by_use_.begin());
    return by_use_.front();
  }

  RateLimits limits_;
  Duration interval_;  // between two requests at the full rate
  Duration capacity_;
  std::list<Bucket> by_use_;                                                  // the most recently used first
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_key_;  // keys live in the list
};

RateLimit::RateLimit(RateLimits limits) : buckets_(std::make_shared<Buckets>(std::move(limits))) {}

std::size_t RateLimit::keys() const { return buckets_->size(); }

Task<Response> RateLimit::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const Duration wait = buckets_->take(request, reactor.now());
  if (wait > Duration()) {
    const std::int64_t seconds = (wait + Duration(1s) - Duration::nanoseconds(1)) / Duration(1s);
    Response response(429, Headers{{"Content-Type", "text/plain"}}, "too many requests\n");
    response.headers.add("Retry-After", std::to_string(seconds));
    co_return std::move(response);
  }
  co_return co_await next(std::move(request));
}

}  // namespace escapement::http
