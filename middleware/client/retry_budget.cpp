#include <escapement/middleware/client/retry_budget.h>

#include <array>
#include <cmath>

#include <escapement/core/detail/check.h>

namespace escapement::http {

class RetryBudget::Account {
 public:
  explicit Account(RetryBudgetOptions options) : part_length_(options.window / 10) {
    ESC_CHECK(options.ratio >= 0 && options.ratio <= 10);
    ESC_CHECK(options.per_second_min <= 1'000'000);
    ESC_CHECK(options.window >= Duration(1s) && options.window <= Duration(60s));
    const auto thousandths = static_cast<std::int64_t>(std::llround(options.ratio * 1000));
    // A call is worth `ratio` retries. In thousandths both are whole numbers.
    deposit_ = thousandths;
    withdrawal_ = 1000;
    const std::int64_t minimum = static_cast<std::int64_t>(options.per_second_min) * withdrawal_;
    reserve_ = minimum * (options.window / Duration(1ms)) / 1000;
  }

  void deposit(Instant now) {
    turn_to(now);
    parts_[at_] += deposit_;
  }
  bool withdraw(Instant now) {
    if (held(now) < withdrawal_) return false;
    parts_[at_] -= withdrawal_;
    return true;
  }
  std::uint64_t balance(Instant now) {
    const std::int64_t left = held(now);
    return left <= 0 ? 0 : static_cast<std::uint64_t>(left / withdrawal_);
  }

 private:
  std::int64_t held(Instant now) {
    turn_to(now);
    std::int64_t sum = reserve_;
    for (const std::int64_t part : parts_) sum += part;
    return sum;
  }
  void turn_to(Instant now) {
    for (std::size_t turned = 0; now >= ends_ && turned < parts_.size(); ++turned) {
      at_ = (at_ + 1) % parts_.size();
      parts_[at_] = 0;
      ends_ = ends_ + part_length_;
    }
    if (now >= ends_) ends_ = now + part_length_;  // all parts are empty now
  }

  Duration part_length_;
  std::int64_t deposit_ = 0;
  std::int64_t withdrawal_ = 0;
  std::int64_t reserve_ = 0;  // what the minimum allows within a window
  Instant ends_;              // of the present part
  std::size_t at_ = 0;
  std::array<std::int64_t, 10> parts_{};
};

RetryBudget::RetryBudget(RetryBudgetOptions options) : account_(std::make_shared<Account>(options)) {}

void RetryBudget::deposit(Instant now) const { account_->deposit(now); }
bool RetryBudget::withdraw(Instant now) const { return account_->withdraw(now); }
std::uint64_t RetryBudget::balance(Instant now) const { return account_->balance(now); }

}  // namespace escapement::http
