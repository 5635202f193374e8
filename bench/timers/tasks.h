// The tasks, each a template over a contender (contender.h). A task builds a fresh contender, does its work
// once, or often enough for a sample of some milliseconds, and yields ns an operation.

#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "agree.h"
#include "bed.h"

namespace bench {

inline constexpr Ns longest_delay = 60 * second;
inline constexpr Ns http_timeout = 30 * second;
// The loop takes a turn after so many operations of the tasks in which time hardly moves.
inline constexpr int operations_per_turn = 1000;

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "bench_timers_run: %s\n", what);
  std::exit(1);
}

// Sums up spans, without what reading the clock costs.
class Span {
 public:
  void begin() { began_ = stopwatch(); }
  void end() { total_ += stopwatch() - began_ - cost(); }
  double per(double operations) const { return std::max(0.0, static_cast<double>(total_)) / operations; }

 private:
  static Ns cost() {
    static const Ns cost = [] {
      Ns least = second;
      for (int i = 0; i < 1000; ++i) {
        const Ns began = stopwatch();
        least = std::min(least, stopwatch() - began);
      }
      return least;
    }();
    return cost;
  }

  Ns began_ = 0;
  Ns total_ = 0;
};

template <class C>
void arm_all(Bed<C>& bed, const Workload& load, Ns from = start_time) {
  for (std::uint32_t id = 0; id < load.size; ++id) bed.queue.arm(bed[id], from + load.delay(id));
}

// Steps until nothing is left that is due; yields how many fired.
template <class C>
std::size_t step_fully(C& queue, Ns now, Fired& fired) {
  std::size_t count = 0;
  for (bool more = true; more;) {
    fired.clear();
    more = queue.step(now, fired);
    count += fired.count();
  }
  return count;
}

// `schedule`: N random deadlines. `cancel`: all of them, in random order.
template <class C>
Sample schedule_and_cancel(const Workload& load, Steps&) {
  Bed<C> bed(load.size);
  Fired fired(load.size);
  Span schedule, cancel;
  Ns now = start_time;
  std::size_t first_delay = 0;
  const int repetitions = load.repetitions(load.size);
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    schedule.begin();
    for (std::uint32_t id = 0; id < load.size; ++id)
      bed.queue.arm(bed[id], now + load.delay(first_delay + id));
    schedule.end();
    cancel.begin();
    for (const std::uint32_t id : load.order) bed.queue.cancel(bed[id]);
    bed.queue.settle();
    cancel.end();
    first_delay += load.size;
    now += microsecond;
    step_fully(bed.queue, now, fired);
  }
  const double operations = double{1} * load.size * repetitions;
  return {{"schedule", schedule.per(operations)},
          {"cancel", cancel.per(operations)},
          {"schedule+cancel", schedule.per(operations) + cancel.per(operations)}};
}

// The HTTP pattern beside N live timers: `http_same` arms one timer for 30 s and cancels it; `http_fresh`
// makes a timer, arms it for 30 s and destroys it; in `http_flight` 100 of those are in flight, and the
// oldest ends when a new one begins.
template <class C>
class Http {
 public:
  explicit Http(const Workload& load)
      : load_(load),
        bed_(load.size),
        slots_(slot_count),
        fired_(load.size),
        pairs_(load.brief ? 2000 : 200'000) {
    arm_all(bed_, load, start_time + 10 * millisecond);  // none is due before the last turn
  }

  Sample run() {
    Sample sample;
    sample["http_same"] = time([&] { same(); });
    sample["http_fresh"] = time([&] { fresh(); });
    sample["http_flight"] = time([&] { flight(); });
    return sample;
  }

 private:
  using Timer = typename C::Timer;
  static constexpr int in_flight = 100;
  static constexpr int slot_count = C::fresh_slots + in_flight;

  // The median of a few, because one takes less than a millisecond where filling the bed took a second.
  template <class F>
  double time(F pairs) {
    std::vector<double> taken;
    for (int i = 0; i < (load_.brief ? 1 : 5); ++i) {
      Span span;
      span.begin();
      pairs();
      span.end();
      taken.push_back(span.per(pairs_));
    }
    std::sort(taken.begin(), taken.end());
    return taken[taken.size() / 2];
  }

  void turn() {
    now_ += microsecond;
    if (step_fully(bed_.queue, now_, fired_) != 0) fail("a timer fired in the HTTP pattern");
  }

  void same() {
    Timer* timer = new (slots_.at(0)) Timer(bed_.queue, 0);
    for (int pair = 0; pair < pairs_; pair += operations_per_turn, turn())
      for (int i = 0; i < operations_per_turn; ++i) {
        bed_.queue.arm(*timer, now_ + http_timeout);
        bed_.queue.cancel(*timer);
      }
    end(timer);
    bed_.queue.settle();
  }

  Timer* begin(int slot) {
    Timer* timer = new (slots_.at(slot)) Timer(bed_.queue, 0);
    bed_.queue.arm(*timer, now_ + http_timeout);
    return timer;
  }
  void end(Timer* timer) {
    bed_.queue.drop(*timer);
    timer->~Timer();
  }

  void fresh() {
    int slot = 0;
    for (int pair = 0; pair < pairs_; pair += operations_per_turn, turn())
      for (int i = 0; i < operations_per_turn; ++i) {
        end(begin(slot));
        if (++slot == C::fresh_slots) slot = 0;
      }
  }

  void flight() {
    for (int slot = 0; slot < in_flight; ++slot) begin(slot);
    int newest = in_flight, oldest = 0;
    for (int pair = 0; pair < pairs_; pair += operations_per_turn, turn())
      for (int i = 0; i < operations_per_turn; ++i) {
        end(slots_.at(oldest));
        if (++oldest == slot_count) oldest = 0;
        begin(newest);
        if (++newest == slot_count) newest = 0;
      }
    for (int i = 0; i < in_flight; ++i) {
      end(slots_.at(oldest));
      if (++oldest == slot_count) oldest = 0;
    }
    bed_.queue.settle();
  }

  const Workload& load_;
  Bed<C> bed_;
  Room<C> slots_;
  Fired fired_;
  int pairs_;
  Ns now_ = start_time;
};

template <class C>
Sample http(const Workload& load, Steps&) {
  return Http<C>(load).run();
}

// N live timers, re-armed in random order. `rearm_later`: idle timeouts of 30 s, armed over the last 30 s,
// and each one pushed to 30 s from now. `rearm_random`: to random deadlines. Two orders take turns: in one
// and the same order the timer to be re-armed would always be the one that is due first.
template <class C>
Sample rearm(const Workload& load, Steps&) {
  Bed<C> bed(load.size);
  Fired fired(load.size);
  Ns now = start_time;
  for (std::uint32_t id = 0; id < load.size; ++id)
    bed.queue.arm(bed[id], now + millisecond + load.delay(id) / 2);
  const int repetitions = load.repetitions(load.size);
  const auto passes = [&](auto deadline) {
    Span span;
    std::size_t done = 0;
    for (int i = 0; i < repetitions; ++i) {
      const std::vector<std::uint32_t>& order = i % 2 == 0 ? load.order : load.other;
      span.begin();
      for (const std::uint32_t id : order) bed.queue.rearm(bed[id], deadline(done++));
      bed.queue.settle();
      span.end();
      now += microsecond;
      step_fully(bed.queue, now, fired);
    }
    return span.per(static_cast<double>(done));
  };
  Sample sample;
  sample["rearm_later"] = passes([&](std::size_t) { return now + 2 * millisecond + http_timeout; });
  sample["rearm_random"] = passes([&](std::size_t done) { return now + load.delay(done); });
  return sample;
}

// N random deadlines, and time moves over all of them in steps of 1 ms. Includes the empty steps.
template <class C>
Sample expire_steps(const Workload& load, Steps&) {
  Bed<C> bed(load.size);
  Fired fired(load.size);
  arm_all(bed, load);
  std::size_t count = 0;
  Span span;
  span.begin();
  for (Ns after = millisecond; after <= longest_delay + millisecond; after += millisecond)
    count += step_fully(bed.queue, start_time + after, fired);
  span.end();
  if (count != load.size) fail("not all timers fired in steps of 1 ms");
  return {{"expire_steps", span.per(load.size)}};
}

// The same, and time jumps over all of them.
template <class C>
Sample expire_jump(const Workload& load, Steps&) {
  Bed<C> bed(load.size);
  Fired fired(load.size);
  Span span;
  const int repetitions = load.repetitions(load.size);
  Ns now = start_time;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (std::uint32_t id = 0; id < load.size; ++id) bed.queue.arm(bed[id], now + load.delay(id));
    now += longest_delay + millisecond;
    span.begin();
    const std::size_t count = step_fully(bed.queue, now, fired);
    span.end();
    if (count != load.size) fail("not all timers fired in one jump");
  }
  return {{"expire_jump", span.per(double{1} * load.size * repetitions)}};
}

// Expiry in steps of 1 ms, every single step timed: for ours one call of advance and handing out what it made
// due. `worst_us`: the longest; `p999_us`: the 99.9th percentile. The same step does the same work in every
// round, so its shortest time over all rounds is free of the machine's noise: `worst_clean_us` is the longest
// of those so far. All are to be read as the least of the rounds.
template <class C>
Sample worst(const Workload& load, Steps& shortest) {
  Bed<C> bed(load.size);
  Fired fired(load.size);
  arm_all(bed, load);
  Steps steps;
  steps.reserve(200'000);
  Ns before = stopwatch();
  for (Ns after = millisecond; after <= longest_delay + millisecond; after += millisecond) {
    for (bool more = true; more;) {
      fired.clear();
      more = bed.queue.step(start_time + after, fired);
      const Ns now = stopwatch();
      steps.push_back(static_cast<std::uint32_t>(now - before));
      before = now;
    }
  }
  if (shortest.size() != steps.size()) shortest = steps;
  for (std::size_t i = 0; i < steps.size(); ++i) shortest[i] = std::min(shortest[i], steps[i]);
  std::sort(steps.begin(), steps.end());
  return {{"worst_us", steps.back() * 1e-3},
          {"p999_us", steps[steps.size() - 1 - steps.size() / 1000] * 1e-3},
          {"worst_clean_us", *std::max_element(shortest.begin(), shortest.end()) * 1e-3}};
}

// One timer, a day away, whatever N: `empty_step`: a step of 1 ms in which nothing is due; `next`: asking for
// the next deadline after it.
template <class C>
Sample far(const Workload& load, Steps&) {
  Bed<C> bed(1);
  Fired fired(1);
  bed.queue.arm(bed[0], start_time + 24 * 3600 * second);
  const int count = load.brief ? 1000 : 100'000;
  Ns now = start_time;
  Span steps;
  steps.begin();
  for (int i = 0; i < count; ++i) step_fully(bed.queue, now += millisecond, fired);
  steps.end();
  Sample sample{{"empty_step", steps.per(count)}};
  if constexpr (C::has_next) {
    Span span;
    Ns sum = 0;
    span.begin();
    for (int i = 0; i < count; ++i) {
      sum += bed.queue.next();
      asm volatile("" : "+r"(sum) : : "memory");
    }
    span.end();
    sample["next"] = span.per(count);
  }
  return sample;
}

// N clients that retry: every timer that fires is armed again with the next of 0.1, 0.2, 0.4 ... 6.4 s, less
// up to an eighth. Time moves in steps of 1 ms, for 8 s; ns a firing, arming included.
template <class C>
Sample retry(const Workload& load, Steps&) {
  Bed<C> bed(load.size);
  Fired fired(load.size);
  std::vector<std::uint8_t> attempt(load.size);
  std::size_t drawn = 0;
  const auto backoff = [&](std::uint32_t id) {
    const Ns longest = 100 * millisecond << attempt[id];
    attempt[id] = attempt[id] == 6 ? 0 : attempt[id] + 1;
    return longest - (load.delay(drawn++) & ((longest >> 3) - 1));
  };
  for (std::uint32_t id = 0; id < load.size; ++id) {
    attempt[id] = static_cast<std::uint8_t>(id % 7);
    bed.queue.arm(bed[id], start_time + backoff(id));
  }
  std::size_t count = 0;
  Span span;
  span.begin();
  for (Ns now = start_time; now < start_time + 8 * second; now += millisecond) {
    for (bool more = true; more;) {
      fired.clear();
      more = bed.queue.step(now, fired);
      count += fired.count();
      for (const std::uint32_t id : fired) bed.queue.arm(bed[id], now + backoff(id));
    }
  }
  span.end();
  return {{"retry", span.per(static_cast<double>(std::max<std::size_t>(count, 1)))}};
}

inline double bytes_allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Measures the memory of N armed timers, all included: the user's handle and everything that was allocated,
// with malloc's own share. `bytes_churn`: the same after 4 N requests with 100 in flight, each a fresh timer
// of 30 s.
template <class C>
class Bytes {
 public:
  explicit Bytes(const Workload& load)
      : load_(load), room_(load.size + slots), fired_(load.size), before_(bytes_allocated()) {}

  Sample run() {
    Sample sample;
    virtual_time = start_time;
    C queue;
    for (std::uint32_t id = 0; id < load_.size; ++id)
      queue.arm(*new (room_.at(id)) Timer(queue, id), start_time + load_.delay(id));
    sample["bytes"] = each();
    churn(queue);
    sample["bytes_churn"] = each();
    for (std::uint32_t id = 0; id < load_.size; ++id) end(queue, room_.at(id));
    queue.settle();
    return sample;
  }

 private:
  using Timer = typename C::Timer;
  static constexpr std::uint32_t in_flight = 100;
  static constexpr std::uint32_t slots = C::fresh_slots + in_flight;

  double each() const { return (bytes_allocated() - before_) / load_.size + double{C::handle_bytes}; }
  Timer* slot(std::uint32_t request) { return room_.at(load_.size + request % slots); }
  void end(C& queue, Timer* timer) {
    queue.drop(*timer);
    timer->~Timer();
  }

  void churn(C& queue) {
    Ns now = start_time;
    const std::uint32_t requests = in_flight + 4 * load_.size;
    for (std::uint32_t request = 0; request < requests; ++request) {
      if (request >= in_flight) end(queue, slot(request - in_flight));
      queue.arm(*new (slot(request)) Timer(queue, 0), now + http_timeout);
      if (request % operations_per_turn == 0) step_fully(queue, now += microsecond, fired_);
    }
    for (std::uint32_t request = requests - in_flight; request < requests; ++request)
      end(queue, slot(request));
    step_fully(queue, now += microsecond, fired_);
  }

  const Workload& load_;
  Room<C> room_;
  Fired fired_;
  double before_;
};

// In a thread of its own: malloc counts what a thread has freed and keeps for itself as in use.
template <class C>
Sample bytes(const Workload& load, Steps&) {
  Sample sample;
  std::thread([&] { sample = Bytes<C>(load).run(); }).join();
  return sample;
}

template <class C>
Contender describe(const char* name) {
  Contender contender{name, C::version(), C::is_floor, "", nullptr, {}};
  contender.tasks = {{"schedule", schedule_and_cancel<C>},
                     {"http", http<C>},
                     {"rearm", rearm<C>},
                     {"worst", worst<C>},
                     {"bytes", bytes<C>}};
  if constexpr (!C::is_floor) {
    contender.order = order_promised<C>();
    contender.agree = agree<C>;
    contender.tasks.insert(
        {{"expire", expire_steps<C>}, {"jump", expire_jump<C>}, {"far", far<C>}, {"retry", retry<C>}});
  }
  return contender;
}

}  // namespace bench
