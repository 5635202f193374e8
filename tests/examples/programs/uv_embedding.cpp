// uv_embedding: the reactor inside libuv's loop, which owns the thread; tasks offload blocking work to a
// pool.
#include <uv.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <vector>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// Steps a Loop from libuv: when its descriptor is readable, and when the instant that the last step returned
// is reached.
class Embedded {
 public:
  explicit Embedded(uv_loop_t* host) {
    uv_poll_init(host, &readable_, loop_.pollable_fd());
    uv_timer_init(host, &due_);
    readable_.data = due_.data = this;
    uv_poll_start(&readable_, UV_READABLE, [](uv_poll_t* handle, int, int) { of(handle->data).step(); });
    uv_timer_start(&due_, [](uv_timer_t* handle) { of(handle->data).step(); }, 0, 0);
  }

  Loop& loop() { return loop_; }
  // Lets libuv's loop end.
  void stop() {
    uv_close(reinterpret_cast<uv_handle_t*>(&readable_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&due_), nullptr);
    stopped_ = true;
  }

 private:
  static Embedded& of(void* data) { return *static_cast<Embedded*>(data); }

  void step() {
    const Instant next = loop_.step();
    if (stopped_) return;
    // Rounded up: libuv's clock has milliseconds.
    const Duration left = std::clamp(next - loop_.backend().now(), Duration(), Duration(24h));
    const auto milliseconds = static_cast<std::uint64_t>((left + Duration(999'999ns)) / Duration(1ms));
    uv_timer_start(&due_, [](uv_timer_t* handle) { of(handle->data).step(); }, milliseconds, 0);
  }

  Loop loop_;
  uv_poll_t readable_;
  uv_timer_t due_;
  bool stopped_ = false;
};

long add_up(std::vector<int> numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0L); }

Task<> work(ThreadPool& pool, Embedded& embedded) {
  std::vector<int> numbers(1'000'000, 3);
  const long sum = co_await offload(pool, add_up, std::move(numbers));
  std::printf("the pool's sum: %ld\n", sum);
  co_await sleep(20ms);
  std::puts("slept");
  embedded.stop();
}

}  // namespace

int main() {
  uv_loop_t* host = uv_default_loop();
  ThreadPool pool;
  Embedded embedded(host);
  Scope tasks(embedded.loop().reactor());
  tasks.spawn(work(pool, embedded));
  uv_timer_t own;  // libuv's own things go on beside
  uv_timer_init(host, &own);
  uv_timer_start(
      &own,
      [](uv_timer_t* timer) {
        std::puts("libuv's timer");
        uv_close(reinterpret_cast<uv_handle_t*>(timer), nullptr);
      },
      5, 0);
  uv_run(host, UV_RUN_DEFAULT);
  uv_loop_close(host);
}
