// The obvious first implementation: std::multimap from deadline to timer. Exact, and nodes all over the heap.

#include <map>

#include "tasks.h"

namespace bench {
namespace {

class Multimap {
 public:
  static std::string version() { return ""; }
  static constexpr bool is_floor = false;
  static constexpr Ns resolution = 1;
  static constexpr bool ties_in_order = true;
  static constexpr bool has_next = true;
  static constexpr int fresh_slots = 1;

  struct Timer;
  using Map = std::multimap<Ns, Timer*>;
  static constexpr std::size_t handle_bytes = sizeof(Map::iterator);

  struct Timer {
    Timer(Multimap& queue, std::uint32_t id) : place(queue.map_.end()), id(id) {}
    Map::iterator place;  // end() when not armed
    std::uint32_t id;
  };

  void arm(Timer& timer, Ns deadline) { timer.place = map_.emplace(deadline, &timer); }
  void rearm(Timer& timer, Ns deadline) {
    // The node is kept: no allocation.
    Map::node_type node = map_.extract(timer.place);
    node.key() = deadline;
    timer.place = map_.insert(std::move(node));
  }
  void cancel(Timer& timer) {
    map_.erase(timer.place);
    timer.place = map_.end();
  }
  void drop(Timer& timer) {
    if (timer.place != map_.end()) map_.erase(timer.place);
  }
  Ns next() { return map_.empty() ? INT64_MAX : map_.begin()->first; }
  void settle() {}

  bool step(Ns now, Fired& fired) {
    while (!map_.empty() && map_.begin()->first <= now) {
      Timer& timer = *map_.begin()->second;
      cancel(timer);
      fired.push(timer.id);
    }
    return false;
  }

 private:
  Map map_;
};

}  // namespace

Contender contender_multimap() { return describe<Multimap>("std::multimap"); }

}  // namespace bench
