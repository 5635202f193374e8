// task_tree_cost bytes: prints the bytes of a sleeping task.
// task_tree_cost waits N: one task waits N times, for its next turn. tools/task_tree_cost counts the
// instructions.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sleeping_tasks.h"

namespace {

escapement::Task<> wait_often(long count) {
  for (long i = 0; i < count; ++i) co_await escapement::yield();
}

void run_waits(long count) {
  bench::NoBackend backend;
  escapement::TimerWheel wheel(backend.now());
  escapement::Reactor reactor(backend, wheel);
  escapement::Scope scope(reactor, nullptr);
  scope.spawn(wait_often(count));
  while (!scope.empty()) reactor.step();
}

double allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view what = count > 1 ? arguments[1] : "";
  if (what == "waits" && count > 2) {
    run_waits(std::atol(arguments[2]));
    return 0;
  }
  if (what != "bytes") return 2;
  std::printf("%.1f\n", bench::bytes_of_a_task(100'000, bench::SpawnFunction(), allocated));
  return 0;
}
