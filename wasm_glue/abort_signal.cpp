#include <escapement/wasm_glue/abort_signal.h>

#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

namespace {

class AbortSource final : public AbortEvents {
 public:
  void aborted() override { source_.cancel(Error(Errc::cancelled, "aborted by the host")); }
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
