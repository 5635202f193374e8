#include <escapement/middleware/limits/rate_limit.h>

#include <algorithm>
#include <list>
#include <unordered_map>

#include <escapement/timers/sleep.h>

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

  // A token, now or after `wait`; or none, and the wait until there would be one.
  struct Token {
    bool taken = false;
    Duration wait;
    std::string key;  // if it is to come
    Instant full_at;
  };

  Token take(const Request& request, Instant now) {
    forget_full(now);
    Bucket& bucket = find(limits_.key(request), now);
    Token token;
    token.full_at = std::max(bucket.full_at, now) + interval_;
    token.wait = std::max(Duration(), token.full_at - now - capacity_);
    token.taken = token.wait == Duration() || may_wait(request, token.wait, now);
    if (!token.taken) return token;
    bucket.full_at = token.full_at;
    if (token.wait > Duration()) token.key = bucket.key;
    return token;
  }
  // Gives back a token that nobody came for, if no later one was promised.
  void give_back(const Token& token) {
    const auto found = by_key_.find(token.key);
    if (found == by_key_.end() || found->second->full_at != token.full_at) return;
    found->second->full_at = token.full_at - interval_;
  }

  std::size_t size() const { return by_key_.size(); }

  std::size_t waiting = 0;

 private:
  bool may_wait(const Request& request, Duration wait, Instant now) const {
    return wait <= limits_.wait_max && waiting < limits_.waiting_max && now + wait < request.deadline;
  }

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
std::size_t RateLimit::waiting() const { return buckets_->waiting; }

// A request that waits for its token.
class RateLimit::Waiting {
 public:
  Waiting(std::shared_ptr<Buckets> buckets, Buckets::Token token)
      : buckets_(std::move(buckets)), token_(std::move(token)) {
    ++buckets_->waiting;
  }
  Waiting(const Waiting&) = delete;
  ~Waiting() {
    --buckets_->waiting;
    if (!came_) buckets_->give_back(token_);
  }
  void came() { came_ = true; }

 private:
  std::shared_ptr<Buckets> buckets_;
  Buckets::Token token_;
  bool came_ = false;
};

Task<Response> RateLimit::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  Buckets::Token token = buckets_->take(request, reactor.now());
  const Duration wait = token.wait;
  if (!token.taken) {
    const std::int64_t seconds = (wait + Duration(1s) - Duration::nanoseconds(1)) / Duration(1s);
    Response response(429, Headers{{"Content-Type", "text/plain"}}, "too many requests\n");
    response.headers.add("Retry-After", std::to_string(seconds));
    co_return std::move(response);
  }
  if (wait > Duration()) {
    Waiting waiting(buckets_, std::move(token));
    co_await sleep_until(reactor.now() + wait);
    waiting.came();
  }
  co_return co_await next(std::move(request));
}

}  // namespace escapement::http
