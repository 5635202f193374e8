// HostReply: what the host replies under one number, when asked: the head of a response, the bytes of a body
// piece by piece, the outcome of an operation.

#pragma once

#include <optional>
#include <string>

#include <escapement/core/event.h>
#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

// One question to the host is open at a time. If the task that asked is gone before the host replies, the
// reply is kept for the next task that asks: a cancelled read loses no bytes.
class HostReply {
 public:
  // Makes an Error of the host's report that it failed.
  using ErrorOf = Error (*)(FetchFailure kind, std::string why);

  // Takes the next number of `context`, which must outlive the reply.
  HostReply(Context& context, ErrorOf error_of)
      : context_(context), error_of_(error_of), id_(context.add(*this)) {}
  HostReply(const HostReply&) = delete;
  ~HostReply() { context_.remove(id_); }

  // Returns its number.
  int id() const { return id_; }

  // Returns whether the host has to be asked: false while a question to it is open, and after a failure.
  bool must_ask() { return !failure_ && !std::exchange(open_, true); }
  // Returns whether `answer` would not wait.
  bool reported() const { return failure_.has_value() || reported_.is_set(); }
  // Waits for the reply. Fails with timed_out after `limit`, which is called `name`; the question to the
  // host stays open. Fails as the host reported, now and from then on.
  Task<std::string> answer(Duration limit, escapement::detail::LimitName name);
  // The numbers of the last reply (abi.h).
  int status() const { return status_; }
  double number() const { return number_; }

  // Waits until the host's reader wants more of what streams to it. Fails with timed_out after `limit`.
  Task<> until_wanted(Duration limit);

  // The host's reports. `place` returns null if there is no memory.
  char* place(std::size_t length);
  void arrived(int status, double number);
  void failed(Error why);
  void failed(FetchFailure kind, std::string why) { failed(error_of_(kind, std::move(why))); }
  void wanted() { wanted_.set(); }

 private:
  Context& context_;
  ErrorOf error_of_;
  int id_;
  bool open_ = false;
  int status_ = 0;
  double number_ = 0;
  std::string bytes_;
  std::optional<Error> failure_;
  Event reported_;
  Event wanted_;
};

}  // namespace escapement::wasm
