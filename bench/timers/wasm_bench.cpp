// The wheel inside a wasm module, in bulk, for wasm.mjs to compare with the host's setTimeout and
// clearTimeout. Each task returns ns a pair of schedule and cancel, by the host's clock.

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <vector>

#include <escapement/core/random.h>
#include <escapement/timers/wheel.h>
#include <escapement/wasm_glue/runtime.h>

#include "sleeping_tasks.h"

using namespace escapement;

namespace {

struct Target final : Runnable {
  void run() override {}
};

// Two numbers with a space between them: how many timers, and how often.
struct Wanted {
  explicit Wanted(const std::string& text) {
    const char* end = text.data() + text.size();
    const char* space = std::from_chars(text.data(), end, timers).ptr;
    if (space != end) std::from_chars(space + 1, end, repetitions);
  }
  std::uint32_t timers = 0;
  std::uint32_t repetitions = 1;
};

// N timers with random deadlines of 1 ms to 60 s, and an order to cancel them in.
class Bed {
 public:
  explicit Bed(std::uint32_t count) : entries_(new TimerEntry[count]), delays_(count), order_(count) {
    Random random(1);
    for (std::uint32_t i = 0; i < count; ++i) {
      delays_[i] = Duration::nanoseconds(static_cast<std::int64_t>(1'000'000 + random.up_to(59'999'000'000)));
      order_[i] = i;
    }
    for (std::uint32_t i = count; i > 1; --i) std::swap(order_[i - 1], order_[random.up_to(i - 1)]);
  }

  void arm_all() {
    for (std::uint32_t i = 0; i < delays_.size(); ++i) entries_[i].arm(wheel_, now_ + delays_[i], target_);
  }
  void cancel_all() {
    for (const std::uint32_t i : order_) entries_[i].disarm();
    turn();
  }
  // One timer beside the others, armed for 30 s and cancelled.
  void requests(std::uint32_t count) {
    TimerEntry entry;
    for (std::uint32_t i = 0; i < count; ++i) {
      entry.arm(wheel_, now_ + 30s, target_);
      entry.disarm();
      if (i % 1000 == 0) turn();
    }
  }

 private:
  void turn() {
    now_ = now_ + 1us;
    wheel_.advance(now_, due_);
  }

  Instant now_;
  Target target_;
  List<Runnable> due_;
  TimerWheel wheel_;
  std::unique_ptr<TimerEntry[]> entries_;
  std::vector<Duration> delays_;
  std::vector<std::uint32_t> order_;
};

std::string per(Duration elapsed, double operations) {
  return std::to_string(static_cast<double>(elapsed.count()) / operations);
}

Task<std::string> pairs(std::string input) {
  Reactor& reactor = co_await this_reactor;
  const Wanted wanted(input);
  Bed bed(wanted.timers);
  const Instant began = reactor.precise_now();
  for (std::uint32_t i = 0; i < wanted.repetitions; ++i) {
    bed.arm_all();
    bed.cancel_all();
  }
  co_return per(reactor.precise_now() - began, double{1} * wanted.timers * wanted.repetitions);
}

Task<std::string> requests(std::string input) {
  Reactor& reactor = co_await this_reactor;
  const Wanted wanted(input);
  Bed bed(wanted.timers);
  bed.arm_all();
  const Instant began = reactor.precise_now();
  bed.requests(wanted.repetitions);
  co_return per(reactor.precise_now() - began, wanted.repetitions);
}

// Bytes a timer, all included: the entry, and what the wheel allocated with malloc's share.
Task<std::string> bytes(std::string input) {
  const Wanted wanted(input);
  Bed bed(wanted.timers);
  const double before = mallinfo().uordblks;
  bed.arm_all();
  co_return std::to_string((mallinfo().uordblks - before) / wanted.timers + sizeof(TimerEntry));
}

// Bytes a sleeping task, all included: the larger of both ways to spawn one.
Task<std::string> sleeping(std::string input) {
  const int count = static_cast<int>(Wanted(input).timers);
  const auto allocated = [] { return static_cast<double>(mallinfo().uordblks); };
  const double function = bench::bytes_of_a_task(count, bench::SpawnFunction(), allocated);
  const double lambda = bench::bytes_of_a_task(count, bench::SpawnLambda(), allocated);
  co_return std::to_string(std::max(function, lambda));
}

}  // namespace

ESC_TASK(pairs)
ESC_TASK(requests)
ESC_TASK(bytes)
ESC_TASK(sleeping)
