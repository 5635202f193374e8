// CallBudget: one RetryBudget for everything that a call causes, which travels with the call by itself.

#pragma once

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry_budget.h>

namespace escapement::http {

// Pays for the call into `budget`, once, and lets all Retry, Hedge and Resume layers inside draw from it that
// have no budget of their own: at any depth, in a preset or another Service that is given as a whole, in each
// attempt of a Hedge, after a redirect, and in the calls that a handler inside makes with requests of its
// own. So three tiers of one program that each retry send at most 1 + RetryBudgetOptions::ratio times the
// load together, and none of them has to be given the budget:
//
//     const Service api = layered(CallBudget(budget), first_tier);   // whose handlers call the next tier
//
// A CallBudget inside of another one does nothing: the outermost one pays. It travels as a task-local value
// (core/task_local.h), so tasks that the call spawns have it, and code that runs for another call has not.
// The reading of the response's body sees it too, in any task: a Resume draws from it there. To the next
// server no budget travels; that somebody above retries does, in a header field (tiered_retry.h).
//
// Costs a task-local value for each call; programs without it have none of that. Copies share the account,
// which belongs to one reactor's thread. Source: gRPC A6 and Finagle have budgets of a client; this one is of
// a call.
class CallBudget {
 public:
  // The calls pay into `budget`, which others may share.
  explicit CallBudget(RetryBudget budget) : budget_(std::move(budget)) {}

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  RetryBudget budget_;
};

// Returns the budget that travels with the call that the running code belongs to, and was paid into for it;
// null if there is none. For layers that retry in ways of their own. Valid until the running task has ended.
const RetryBudget* budget_of_call(const Reactor& reactor);

}  // namespace escapement::http
