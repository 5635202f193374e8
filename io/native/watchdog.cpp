#include <escapement/io/native/watchdog.h>

#include <cstdio>
#include <string>

#include <escapement/core/task_tree.h>
#include <escapement/io/native/code_location.h>

namespace escapement {

Watchdog::Watchdog(Reactor& reactor, Duration limit, std::function<void(std::string_view)> write)
    : reactor_(reactor), limit_(limit), write_(std::move(write)) {}

void Watchdog::turn_ended(const Turn& turn) {
  if (turn.length <= limit_) return;
  auto reporting = [&] { report(turn); };
  (void)detail::catching(reporting);  // without memory there is no report
}

void Watchdog::report(const Turn& turn) const {
  char length[120];
  std::snprintf(length, sizeof length,
                "escapement: a turn of %.1f ms; %d things ran, the longest %.1f ms, at ",
                turn.length.milliseconds(), turn.resumed, turn.longest.milliseconds());
  std::string text = length + code_location(turn.longest_code) + '\n';
  if (task_tree_built) text += to_text(task_tree(reactor_));
  if (write_) return write_(text);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace escapement
