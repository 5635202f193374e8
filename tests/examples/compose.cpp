// Sleeping, and giving up on what takes too long.

#include <cstdio>

#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [timeout]
Task<int> slow_answer() {
  co_await sleep(20ms);
  co_return 42;
}

Task<std::string> ask() {
  const int answer = co_await with_timeout(1s, slow_answer());
  Result<int> hasty = co_await with_timeout(5ms, slow_answer()).result();  // cancelled, and gone, after 5 ms
  co_return std::to_string(answer) + ", then " + to_string(hasty.error());
}

int main() {
  Loop loop;  // epoll or poll
  Result<std::string> text = loop.run(ask());
  std::puts(text->c_str());  // 42, then timed_out: nothing within 5ms
}
// [timeout]
