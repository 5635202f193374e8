// The command line and the output that the programs of bench/runtime share: PROGRAM TASK COUNT runs one task
// and prints the nanoseconds that each of its operations took. The clock starts when the loop runs and stops
// when the task has ended.

#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

// One task: its name, and a function that runs `count` operations and returns the result, which is checked.
struct TaskEntry {
  const char* name;
  long (*run)(long count);
  long (*expected)(long count);
};

inline long same(long count) { return count; }
// The sum of the leaves' numbers in skynet.
inline long sum_below(long count) { return count * (count - 1) / 2; }

inline int run_one(int argument_count, char** arguments, const TaskEntry* tasks, int size) {
  if (argument_count == 3) {
    const long count = std::strtol(arguments[2], nullptr, 10);
    for (int i = 0; i < size && count > 0; ++i) {
      if (std::strcmp(tasks[i].name, arguments[1]) != 0) continue;
      const auto began = std::chrono::steady_clock::now();
      const long result = tasks[i].run(count);
      const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
      if (result != tasks[i].expected(count)) {
        std::fprintf(stderr, "%s: the result is %ld\n", tasks[i].name, result);
        return 1;
      }
      std::printf("%.2f\n", took.count() / static_cast<double>(count));
      return 0;
    }
  }
  std::fprintf(stderr, "usage: %s TASK COUNT; tasks:", arguments[0]);
  for (int i = 0; i < size; ++i) std::fprintf(stderr, " %s", tasks[i].name);
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace bench
