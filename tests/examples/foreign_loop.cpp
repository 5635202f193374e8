// Embeds the reactor in another event loop: here a plain poll(2) that watches standard input as well.

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

Task<> count_down(bool& done) {
  for (int left = 3; left > 0; --left) {
    std::printf("%d\n", left);
    co_await sleep(20ms);
  }
  done = true;
}

// [foreign]
int main() {
  Loop loop;
  Scope tasks(loop.reactor());
  bool done = false;
  tasks.spawn(count_down(done));
  // A step never sleeps; it returns when to call again if nothing happens before.
  for (Instant next = loop.step(); !done; next = loop.step()) {
    const Duration left = std::clamp(next - loop.backend().now(), Duration(), Duration(1h));
    pollfd watched[] = {{0, POLLIN, 0}, {loop.pollable_fd(), POLLIN, 0}};
    ::poll(watched, 2, static_cast<int>((left + Duration(999us)) / Duration(1ms)));
    if (watched[0].revents != 0) break;  // the other loop's own event
  }
  std::puts(done ? "lift-off" : "stopped");
}
// [foreign]
