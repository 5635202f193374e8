// Floor: what linking a node of 32 bytes into a doubly linked list and out of it costs. No wheel or heap of
// linked nodes can be faster than the list alone.

#include "tasks.h"

namespace bench {
namespace {

class FloorList {
 public:
  static std::string version() { return ""; }
  static constexpr bool is_floor = true;
  static constexpr int fresh_slots = 1;

  struct Timer {
    Timer(FloorList&, std::uint32_t id) : id(id) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    Timer* previous = nullptr;
    Timer* next = nullptr;
    Ns deadline = 0;
    std::uint64_t id;
  };
  static constexpr std::size_t handle_bytes = sizeof(Timer);

  FloorList() { end_.previous = end_.next = &end_; }
  FloorList(const FloorList&) = delete;
  FloorList& operator=(const FloorList&) = delete;

  void arm(Timer& timer, Ns deadline) {
    timer.deadline = deadline;
    timer.previous = end_.previous;
    timer.next = &end_;
    end_.previous->next = &timer;
    end_.previous = &timer;
  }
  void rearm(Timer& timer, Ns deadline) {
    cancel(timer);
    arm(timer, deadline);
  }
  void cancel(Timer& timer) {
    timer.previous->next = timer.next;
    timer.next->previous = timer.previous;
    timer.next = nullptr;
  }
  void drop(Timer& timer) {
    if (timer.next != nullptr) cancel(timer);
  }
  void settle() {}

  bool step(Ns, Fired&) { return false; }

 private:
  Timer end_{*this, 0};
};

}  // namespace

Contender contender_floor_list() { return describe<FloorList>("floor: list push+unlink"); }

}  // namespace bench
