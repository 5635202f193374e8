#include <escapement/timers/crowded_tick.h>

#include <algorithm>

namespace escapement::detail {

void CrowdedTick::adopt(Block& block) {
  block.unlink();
  block.link_in(blocks_);
  block.pin();
}

void CrowdedTick::add(TimerCell& cell) {
  heap_.push_back(Item{cell->deadline().nanoseconds(), &cell, cell->order()});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void CrowdedTick::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  heap_.pop_back();
}

}  // namespace escapement::detail
