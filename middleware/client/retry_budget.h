// RetryBudget: limits retries to a share of the calls, so that they cannot multiply the load on a service
// that fails.

#pragma once

#include <memory>

#include <escapement/core/time.h>

namespace escapement::http {

class Request;

// The numbers of a RetryBudget.
struct RetryBudgetOptions {
  double ratio = 0.2;            // retries for each call, on average; 0 to 10 (checked)
  unsigned per_second_min = 10;  // so many retries a second are always allowed; up to 1,000,000 (checked)
  Duration window = 10s;         // calls count for so long; 1 s to 60 s (checked)
};

// Each call pays in, each retry draws: a retry is allowed if the calls of the last `window` have paid for it,
// or the minimum has. At 100 % failure a service so gets at most 1 + `ratio` times the load, plus the
// minimum; without a budget three attempts make it three times. Give one budget to all Retry, Hedge and
// Resume layers in front of one service; a call through several of them pays once:
//
//     RetryBudget budget;
//     Retry retry;
//     retry.budget = budget;
//
// Copies share the account, which belongs to one reactor's thread. The arithmetic is exact for every ratio
// with three decimals. The window has ten parts, so a call counts for 90 to 100 % of it. Source: Finagle's
// RetryBudget, whose integers these are.
class RetryBudget {
 public:
  // Makes an account that copies share.
  explicit RetryBudget(RetryBudgetOptions options = RetryBudgetOptions());

  // Pays in for a call: the first attempt, not the retries.
  void deposit(Instant now) const;
  // The same for the call that `request` begins, unless a layer outside has paid for it to this account:
  // layers know it again by Request::progress, which is made where there is none. The call counts as paid for
  // while the result lives; keep that for as long as more requests may follow. For layers that retry in ways
  // of their own.
  std::shared_ptr<const void> pay_for(Request& request, Instant now) const;
  // Draws for a retry. Returns false, and draws nothing, if the account does not hold as much.
  bool withdraw(Instant now) const;
  // Returns the number of retries that it would allow at `now`.
  std::uint64_t balance(Instant now) const;

 private:
  class Account;
  class Payment;

  std::shared_ptr<Account> account_;
};

}  // namespace escapement::http
