// Work that blocks, beside a loop:  blocking_work FILE  prints the file's length, a checksum of it, and three
// values from a thread.

#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/event.h>
#include <escapement/io/native/file.h>
#include <escapement/io/native/inbox.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>

using namespace escapement;

// [slow]
unsigned slow_checksum(const std::string& text) {
  unsigned sum = 0;
  for (const char c : text) sum = sum * 31 + static_cast<unsigned char>(c);
  return sum;
}
// [slow]

// [pool]
Task<> print_checksum(ThreadPool& pool, std::string path) {
  std::string text = co_await File::read_all(pool, path, 1 * MiB);
  std::printf("%zu bytes\n", text.size());
  unsigned sum = co_await offload(pool, slow_checksum, std::move(text));
  std::printf("checksum %u\n", sum);
}
// [pool]

// [limit]
Task<unsigned> patient_checksum(ThreadPool& pool, Semaphore& at_most_100, std::string text) {
  Semaphore::Permit permit = co_await at_most_100.acquire();
  unsigned sum = co_await offload(pool, slow_checksum, std::move(text));
  co_return sum;
}
// [limit]

// [capture]
Task<unsigned> captured_checksum(ThreadPool& pool, std::string text) {
  auto work = [text = std::move(text)] { return slow_checksum(text); };
  unsigned sum = co_await offload(pool, std::move(work));
  co_return sum;
}
// [capture]

// [inbox]
Task<> print_samples(Inbox<int>& inbox) {
  while (true) {
    std::optional<int> sample = co_await inbox.receive();
    if (!sample) break;
    std::printf("sample %d\n", *sample);
  }
}

std::thread start_sensor(Inbox<int>& inbox) {
  return std::thread([sender = inbox.sender()] {
    for (int sample = 1; sample <= 3; ++sample) {
      if (!sender.send(sample)) return;  // the inbox is closed, or gone
    }
  });  // the last sender is gone: the inbox is closed
}
// [inbox]

// [main]
Result<> print_checksum_of(std::string path) {
  ThreadPool pool;  // four threads, 1024 places in the queue
  Loop loop;
  return loop.run(print_checksum(pool, path));
}
// [main]

int main(int count, char** arguments) {
  if (count != 2) return 2;
  Result<> printed = print_checksum_of(arguments[1]);
  if (!printed) {
    std::printf("%s\n", to_string(printed.error()).c_str());
    return 1;
  }
  ThreadPool pool;
  Loop loop;
  Semaphore at_most_100(100);
  Result<unsigned> patient = loop.run(patient_checksum(pool, at_most_100, "text"));
  Result<unsigned> captured = loop.run(captured_checksum(pool, "text"));
  if (!patient || !captured || *patient != *captured) return 1;
  Inbox<int> inbox(2);
  std::thread sensor = start_sensor(inbox);
  Result<> shown = loop.run(print_samples(inbox));
  sensor.join();
  return shown ? 0 : 1;
}
