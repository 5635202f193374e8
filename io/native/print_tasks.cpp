#include <escapement/io/native/print_tasks.h>

#include <cstdio>
#include <string>

#include <escapement/core/task_tree.h>
#include <escapement/io/native/signals.h>

namespace escapement {

Task<> print_tasks_on(FdBackend& backend, int number, std::function<void(std::string_view)> write) {
  Reactor& reactor = co_await this_reactor;
  Result<std::unique_ptr<Signals>> signals = Signals::make(backend, {number});
  if (!signals) co_await std::move(signals).error();
  for (;;) {
    [[maybe_unused]] const int received = co_await (*signals)->next();
    const std::string text = to_text(task_tree(reactor));
    if (write) {
      write(text);
    } else {
      std::fwrite(text.data(), 1, text.size(), stderr);
    }
  }
}

}  // namespace escapement
