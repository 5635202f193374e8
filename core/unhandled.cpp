// Implements Reactor::on_unhandled_failure, in a file of its own: a small wasm module sets a plain function
// instead.

#include <escapement/core/reactor.h>
#include <escapement/core/task.h>

namespace escapement {

void Reactor::on_unhandled_failure(std::function<void(const Error&)> handler) {
  on_unhandled_.reset();
  report_ = print;
  if (!handler) return;
  on_unhandled_ = std::make_shared<const std::function<void(const Error&)>>(std::move(handler));
  report_ = call_handler;
}

void Reactor::call_handler(Reactor& reactor, const Error& error) noexcept {
  const auto handler = reactor.on_unhandled_;  // keeps it alive while it runs, even if it sets another
  auto call = [&] { (*handler)(error); };
  std::optional<Error> thrown = detail::catching(call);
  if (!thrown) return;
  detail::print_unhandled(error);
  detail::print_unhandled(*thrown);
}

}  // namespace escapement
