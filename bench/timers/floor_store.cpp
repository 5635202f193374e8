// Floor: one store into the timer's own node of 32 bytes.

#include "tasks.h"

namespace bench {
namespace {

class FloorStore {
 public:
  static std::string version() { return ""; }
  static constexpr bool is_floor = true;
  static constexpr int fresh_slots = 1;

  struct Timer {
    Timer(FloorStore&, std::uint32_t id) : id(id) {}
    volatile Ns deadline = 0;  // the store is the point
    std::uint64_t id;
    std::uint64_t unused[2] = {};
  };
  static constexpr std::size_t handle_bytes = sizeof(Timer);

  void arm(Timer& timer, Ns deadline) { timer.deadline = deadline; }
  void rearm(Timer& timer, Ns deadline) { timer.deadline = deadline; }
  void cancel(Timer& timer) { timer.deadline = 0; }
  void drop(Timer& timer) { timer.deadline = 0; }
  void settle() {}

  bool step(Ns, Fired&) { return false; }
};

}  // namespace

Contender contender_floor_store() { return describe<FloorStore>("floor: one store"); }

}  // namespace bench
