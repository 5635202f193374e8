#include <escapement/middleware/client/retry_budget.h>

#include <cmath>
#include <numeric>
#include <set>

#include <escapement/core/detail/check.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/progress.h>
#include <escapement/middleware/limits/detail/recent.h>

namespace escapement::http {

class RetryBudget::Account {
 public:
  explicit Account(RetryBudgetOptions options) : recent_(options.window) {
    ESC_CHECK(options.ratio >= 0 && options.ratio <= 10);
    ESC_CHECK(options.per_second_min <= 1'000'000);
    ESC_CHECK(options.window >= Duration(1s) && options.window <= Duration(60s));
    // A call is worth `ratio` retries. In thousandths both are whole numbers.
    deposit_ = static_cast<std::int64_t>(std::llround(options.ratio * 1000));
    const std::int64_t a_second = static_cast<std::int64_t>(options.per_second_min) * withdrawal;
    reserve_ = a_second * (options.window / Duration(1ms)) / 1000;
  }

  void deposit(Instant now) { recent_.at(now) += deposit_; }
  bool withdraw(Instant now) {
    if (held(now) < withdrawal) return false;
    recent_.at(now) -= withdrawal;
    return true;
  }
  // The calls that have paid, by what they report to.
  bool has_paid(const CallProgress* call) const { return paying_.contains(call); }
  void begin(const CallProgress* call) { paying_.insert(call); }
  void end(const CallProgress* call) { paying_.erase(call); }
  std::uint64_t balance(Instant now) {
    const std::int64_t left = held(now);
    return left <= 0 ? 0 : static_cast<std::uint64_t>(left / withdrawal);
  }

 private:
  static constexpr std::int64_t withdrawal = 1000;

  std::int64_t held(Instant now) {
    const auto& parts = recent_.all(now);
    return std::accumulate(parts.begin(), parts.end(), reserve_);
  }

  std::int64_t deposit_ = 0;
  std::int64_t reserve_ = 0;  // what the minimum allows within a window
  detail::Recent<std::int64_t> recent_;
  std::set<const CallProgress*> paying_;  // calls that have paid, and may send more requests
};

// A call that has paid.
class RetryBudget::Payment {
 public:
  Payment(std::shared_ptr<Account> account, std::shared_ptr<CallProgress> call)
      : account_(std::move(account)), call_(std::move(call)) {
    account_->begin(call_.get());
  }
  Payment(const Payment&) = delete;
  ~Payment() { account_->end(call_.get()); }

 private:
  std::shared_ptr<Account> account_;
  std::shared_ptr<CallProgress> call_;
};

RetryBudget::RetryBudget(RetryBudgetOptions options) : account_(std::make_shared<Account>(options)) {}

void RetryBudget::deposit(Instant now) const { account_->deposit(now); }
std::shared_ptr<const void> RetryBudget::pay_for(Request& request, Instant now) const {
  if (!request.progress) request.progress = std::make_shared<CallProgress>();
  std::shared_ptr<CallProgress> call = request.progress;
  while (call->whole) call = call->whole;  // an attempt of a Hedge belongs to its call
  if (account_->has_paid(call.get())) return nullptr;
  deposit(now);
  return std::make_shared<Payment>(account_, std::move(call));
}
bool RetryBudget::withdraw(Instant now) const { return account_->withdraw(now); }
std::uint64_t RetryBudget::balance(Instant now) const { return account_->balance(now); }

}  // namespace escapement::http
