// The interface of a contender, as the runner sees it.
//
// A contender is a class around one timer structure, with the thinnest adapter that its public interface
// allows. Every task (tasks.h) is a template over it:
//
//   static std::string version()          of the library; empty for what is compiled here
//   static constexpr bool is_floor        what memory allows: it orders nothing and fires nothing
//   static constexpr Ns resolution        deadlines that differ by less are equal to it
//   static constexpr bool ties_in_order   equal deadlines fire in scheduling order
//   static constexpr int fresh_slots      how many fresh timers are alive before a turn of the loop may reuse
//                                         their memory (libuv's handles live until their closing callback)
//   static constexpr std::size_t handle_bytes    what a user keeps for one timer
//   struct Timer                          one timer and the user's object behind it; `Timer(contender, id)`
//   void arm(Timer&, Ns deadline)         schedules; it is not armed
//   void rearm(Timer&, Ns deadline)       schedules anew; it is armed
//   void cancel(Timer&)                   it is armed
//   void drop(Timer&)                     before its destruction, armed or not
//   Ns next()                             the earliest deadline; only where `has_next`
//   bool step(Ns now, Fired&)             the shortest call that fires what is due; true: call again
//   void settle()                         what a turn does for cancelled and dropped timers

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "no_kernel.h"

namespace bench {

// The ids of the timers that fired, in order.
class Fired {
 public:
  explicit Fired(std::size_t most) : ids_(most) {}
  void push(std::uint32_t id) { ids_[count_++] = id; }
  void clear() { count_ = 0; }
  std::size_t count() const { return count_; }
  const std::uint32_t* begin() const { return ids_.data(); }
  const std::uint32_t* end() const { return ids_.data() + count_; }

 private:
  std::vector<std::uint32_t> ids_;
  std::size_t count_ = 0;
};

// The random part of the tasks, the same for every contender and every repetition.
struct Workload {
  Workload(std::uint32_t timers, std::uint64_t seed, bool brief);

  std::uint32_t size;                // how many timers are live
  std::vector<Ns> delays;            // 1 ms to 60 s; a power of two of them, at least `size`
  std::vector<std::uint32_t> order;  // all ids, shuffled
  std::vector<std::uint32_t> other;  // and in another order, for what follows
  bool brief;                        // only to see that it runs

  Ns delay(std::size_t i) const { return delays[i & (delays.size() - 1)]; }
  // Returns how often to repeat something that does `operations` things, for a sample that is long enough.
  int repetitions(double operations) const;
};

// The results of one run of a task, by metric. ns an operation, except where the name says otherwise.
using Sample = std::map<std::string, double>;

// The steps of the task `worst`: per step the shortest time of all rounds so far.
using Steps = std::vector<std::uint32_t>;

struct Contender {
  std::string name;
  std::string version;
  bool is_floor;
  std::string order;  // what it promises about the order of firing
  // Empty when it fires what the reference fires, in an order that it promises; otherwise what differs.
  std::string (*agree)(std::uint64_t seed);
  // By task. A task that makes no sense for it is missing.
  std::map<std::string, Sample (*)(const Workload&, Steps&)> tasks;
};

}  // namespace bench
