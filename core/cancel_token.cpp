#include <escapement/core/cancel_token.h>

namespace escapement {

namespace detail {

CancelState::CancelState(std::shared_ptr<CancelState> parent) : parent_(std::move(parent)) {
  if (!parent_) return;
  cancelled_ = parent_->cancelled_;
  reason_ = parent_->reason_;
  if (!cancelled_) parent_->linked_.push_back(*this);
}

// One after the other: a chain of linked sources may be long.
void CancelState::cancel(std::shared_ptr<const Error> reason) {
  List<CancelState> left;
  for (CancelState* state = this; state != nullptr; state = left.pop_front()) {
    if (state->cancelled_) continue;
    state->cancelled_ = true;
    state->reason_ = reason;
    state->wake_waiting();
    left.splice_back(state->linked_);
  }
}

void CancelState::wake_waiting() {
  while (!waiting_.empty()) {
    Reactor& reactor = waiting_.front().task->reactor();
    reactor.check_thread();
    reactor.ready(*waiting_.pop_front()->task);
  }
}

}  // namespace detail

CancelSource::CancelSource() : state_(std::make_shared<detail::CancelState>(nullptr)) {}

CancelSource::CancelSource(const CancelToken& parent)
    : state_(std::make_shared<detail::CancelState>(parent.state_)) {}

void CancelSource::cancel() { state()->cancel(nullptr); }

void CancelSource::cancel(Error reason) {
  if (!cancelled()) state()->cancel(std::make_shared<const Error>(std::move(reason)));
}

}  // namespace escapement
