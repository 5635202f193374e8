// CallReport: keeps a call's CallProgress up to date, where there is one.

#pragma once

#include <memory>

#include <escapement/io/http/message.h>
#include <escapement/io/http/progress.h>

namespace escapement::http::detail {

// Reports nothing when it is destroyed: a call that was given up says what it was doing then.
class CallReport {
 public:
  explicit CallReport(const Request& request) : progress_(request.progress) {
    if (progress_) progress_->begin(request.attempt);
  }
  CallReport(const CallReport&) = delete;

  void waits_for(TimeLimit what) {
    if (progress_) progress_->wait_for(what);
  }
  void enters_queue(Reactor& reactor) {
    if (progress_) progress_->enter_queue(reactor.precise_now());
  }
  void leaves_queue(Reactor& reactor) {
    if (progress_) progress_->leave_queue(reactor.precise_now());
  }
  void sends() {
    if (progress_) progress_->send(TimeLimit::write);
  }
  void closed_unanswered() {
    if (progress_) progress_->close_unanswered();
  }

 private:
  std::shared_ptr<CallProgress> progress_;
};

}  // namespace escapement::http::detail
