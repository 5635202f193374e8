#include <escapement/wasm_glue/host_reply.h>

#include <utility>

namespace escapement::wasm {

Task<std::string> HostReply::answer(Duration limit, escapement::detail::LimitName name) {
  if (!failure_) co_await context_.wait_for_host(reported_, limit, name);
  if (failure_) co_return *failure_;
  reported_.reset();
  open_ = false;
  co_return std::exchange(bytes_, std::string());
}

void HostReply::arrived(std::string bytes) {
  bytes_ = std::move(bytes);
  reported_.set();
}

void HostReply::failed(Error why) {
  failure_ = std::move(why);
  reported_.set();
}

}  // namespace escapement::wasm
