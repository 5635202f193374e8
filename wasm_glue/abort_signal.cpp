#include <escapement/wasm_glue/abort_signal.h>

#include <string>

#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

namespace {

std::string reason() {
  std::string text(128, '\0');
  for (;;) {
    const auto length = static_cast<std::size_t>(esc_host_abort_reason(text.data(), text.size()));
    if (length == 0) return "aborted by the host";
    const bool whole = length <= text.size();
    text.resize(length);
    if (whole) return text;
  }
}

class AbortSource final : public AbortEvents {
 public:
  void aborted() override { source_.cancel(Error(Errc::cancelled, reason())); }
  CancelToken token() const { return source_.token(); }

 private:
  CancelSource source_;
};

}  // namespace

CancelToken abort_signal(Reactor& reactor) {
  Context& context = Context::of(reactor);
  if (context.abort() == nullptr) context.watch_abort(std::make_unique<AbortSource>());
  return static_cast<AbortSource*>(context.abort())->token();
}

}  // namespace escapement::wasm
