// HostReply: pieces that the host delivers one by one when asked, such as the bytes of a body.

#pragma once

#include <optional>
#include <string>

#include <escapement/core/event.h>
#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

// One request to the host is open at a time. If the task that asked is gone before the host replies, the
// reply is kept for the next task that asks: a cancelled read loses no bytes.
class HostReply {
 public:
  // `context` must outlive the reply.
  explicit HostReply(Context& context) : context_(context) {}
  HostReply(const HostReply&) = delete;

  // Returns whether the host has to be asked: false while a request to it is open, and after a failure.
  bool must_ask() { return !failure_ && !std::exchange(open_, true); }
  // Waits for the reply. Fails with timed_out after `limit`, which is called `name`; the request to the host
  // stays open. Fails as the host reported, now and from then on.
  Task<std::string> answer(Duration limit, escapement::detail::LimitName name);

  // The host's reports.
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
