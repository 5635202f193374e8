#include <escapement/middleware/client/call_budget.h>

#include <escapement/core/task_local.h>

namespace escapement::http {

namespace {

// The budget that travels with the running code's call.
constexpr TaskLocal<RetryBudget> call_budget;

// A body whose reading still belongs to the call: a Resume inside asks for the rest while it is read.
class BudgetedSource final : public BodySource {
 public:
  BudgetedSource(Body body, RetryBudget budget) : body_(std::move(body)), budget_(std::move(budget)) {}

  Task<std::string> read() override {
    Task<std::string> reading = body_.read();
    co_return co_await with_local(call_budget, budget_, std::move(reading));
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  Headers trailers() override { return body_.trailers(); }

 private:
  Body body_;
  RetryBudget budget_;
};

}  // namespace

const RetryBudget* budget_of_call(const Reactor& reactor) { return call_budget.get(reactor); }

Task<Response> CallBudget::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  if (budget_of_call(reactor) != nullptr) co_return co_await next(std::move(request));
  // Layers inside that have this account as their own know the call again, as long as `paid` lives.
  const std::shared_ptr<const void> paid = budget_.pay_for(request, reactor.now());
  Task<Response> call = next(std::move(request));
  Response response = co_await with_local(call_budget, budget_, std::move(call));
  if (!response.body.replayable()) {
    response.body = Body(std::make_unique<BudgetedSource>(std::move(response.body), budget_));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
