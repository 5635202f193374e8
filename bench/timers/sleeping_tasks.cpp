// sleeping_tasks: prints the bytes that a sleeping task takes, and fails if they are more than the bound.

#include "sleeping_tasks.h"

#include <cstdio>

int main() {
  constexpr int count = 100'000;
  constexpr double most = 256;
  const auto allocated = [] {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
  };
  const double function = bench::bytes_of_a_task(count, bench::SpawnFunction(), allocated);
  const double lambda = bench::bytes_of_a_task(count, bench::SpawnLambda(), allocated);
  std::printf(
      "bytes of a sleeping task, all included, of %d: %.1f spawned as a task, %.1f as a lambda; most %.0f\n",
      count, function, lambda, most);
  return function <= most && lambda <= most ? 0 : 1;
}
