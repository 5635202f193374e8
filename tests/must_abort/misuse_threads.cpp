// The checks of pools and inboxes: each misuse, by number, must end the program with a sentence that names
// the check.  misuse_threads NUMBER

#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>

#include <escapement/core/scope.h>
#include <escapement/io/native/inbox.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>

using namespace escapement;

namespace {

Task<> send_to_itself(Loop& loop, Inbox<int>& inbox) {
  Scope scope(loop.reactor());
  scope.spawn([&inbox]() -> Task<> { co_await inbox.receive(); });
  co_await yield();  // it begins to receive
  const Inbox<int>::Sender sender = inbox.sender();
  while (sender.send(1)) {
  }
}

Task<> receive_twice(Loop& loop, Inbox<int>& inbox) {
  Scope scope(loop.reactor());
  for (int i = 0; i < 2; ++i) {
    scope.spawn([&inbox]() -> Task<> { co_await inbox.receive(); });
  }
  co_await yield();
}

void misuse(int number) {
  Loop loop;
  switch (number) {
    case 0: Inbox<int>(0).close(); break;
    case 1: {
      Inbox<int> inbox(2);
      (void)loop.run(send_to_itself(loop, inbox));
      break;
    }
    case 2: {
      Inbox<int> inbox(1);
      (void)loop.run(receive_twice(loop, inbox));
      break;
    }
    case 3: {
      auto pool = std::make_unique<ThreadPool>();
      (void)loop.run(offload(*pool, [&pool] { pool.reset(); }));
      break;
    }
    case 4: {
      ThreadPoolOptions options;
      options.threads = 5000;
      const ThreadPool pool(options);
      break;
    }
    default: break;
  }
}

}  // namespace

// A signal would be an accident to ctest, whatever was printed before.
int main(int count, char** arguments) {
  std::signal(SIGABRT, [](int) { std::_Exit(1); });
  if (count == 2) misuse(std::atoi(arguments[1]));
}
