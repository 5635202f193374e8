// HostReply: what the host is asked for piece by piece, as the bytes of a body.

#pragma once

#include <optional>
#include <string>

#include <escapement/core/event.h>
#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

// One question is open at a time. Where the task that asked is gone before the host answers, the answer is
// kept for the next one that asks: no bytes are lost by a read that was given up.
class HostReply {
 public:
  explicit HostReply(Context& context) : context_(context) {}
  HostReply(const HostReply&) = delete;

  // True when the host has to be asked; false while a question is open, and after a failure.
  bool must_ask() { return !failure_ && !std::exchange(open_, true); }
  // Waits for the answer. timed_out when none comes within `limit`, which is called `name`; the question
  // stays open. Fails as the host said, now and ever after.
  Task<std::string> answer(Duration limit, escapement::detail::LimitName name);

  // What the host says.
  void arrived(std::string bytes);
  void failed(Error why);

 private:
  Context& context_;
  bool open_ = false;
  std::string bytes_;
  std::optional<Error> failure_;
  Event reported_;
};

}  // namespace escapement::wasm
