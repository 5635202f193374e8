#include <escapement/timers/crowded_tick.h>

namespace escapement::detail {

void CrowdedTick::adopt(Block& block) {
  block.unlink();
  block.link_in(blocks_);
  block.pin();
}

// A binary heap: what is at i is not later than what is at 2 i + 1 and 2 i + 2.
void CrowdedTick::add(TimerCell& cell) {
  const Item added{cell->deadline().nanoseconds(), &cell, cell->order()};
  if (size_ == pages_.size() * page_items) pages_.emplace_back(new Page);
  std::size_t hole = size_++;
  for (; hole > 0 && before(added, at((hole - 1) / 2)); hole = (hole - 1) / 2) at(hole) = at((hole - 1) / 2);
  at(hole) = added;
}

void CrowdedTick::pop() {
  const Item last = at(--size_);
  std::size_t hole = 0;
  for (;;) {
    std::size_t child = 2 * hole + 1;
    if (child >= size_) break;
    if (child + 1 < size_ && before(at(child + 1), at(child))) ++child;
    if (!before(at(child), last)) break;
    at(hole) = at(child);
    hole = child;
  }
  at(hole) = last;
}

}  // namespace escapement::detail
