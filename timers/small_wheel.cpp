#include <escapement/timers/small_wheel.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace escapement {

using detail::TimerCell;

SmallWheel::~SmallWheel() {
  for (;;) {
    while (Chunk* chunk = moving_) {
      for (const TimerCell cell : chunk->cells) {
        if (cell == nullptr) continue;
        cell->disarm();
        cell->forget_cell();
      }
      moving_ = chunk->next;
      delete chunk;
    }
    if (occupied_ == 0) return;
    moving_ = take(first_place());
  }
}

// A deadline before the clock belongs to the clock's own time.
SmallWheel::Place SmallWheel::place_of(const TimerEntry& entry) const {
  const std::int64_t time = std::max(entry.deadline().nanoseconds(), time_);
  if (time != time_) {
    const int digit = (63 - std::countl_zero(static_cast<std::uint64_t>(time ^ time_))) / bits;
    return {order_levels + digit, static_cast<int>(time >> digit * bits) & 63};
  }
  const std::uint32_t order = entry.order() - order_began_;
  const int digit = (31 - std::countl_zero(order ^ order_)) / bits;  // 0 also for the same order
  return {digit, static_cast<int>(order >> digit * bits) & 63};
}

SmallWheel::Place SmallWheel::first_place() const {
  const int level = std::countr_zero(occupied_);
  return {level, std::countr_zero(levels_[level]->occupied)};
}

std::int64_t SmallWheel::start_of(Place place) const {
  if (place.level < order_levels) return time_;
  const int shift = (place.level - order_levels) * bits;
  return ((time_ >> shift & ~std::int64_t{63}) | place.slot) << shift;
}

// Without memory it throws and has changed nothing. So callers that move an entry give it its new place
// first, and empty the old cell then.
TimerCell& SmallWheel::put(TimerEntry& entry) {
  const Place place = place_of(entry);
  std::unique_ptr<Level>& level = levels_[place.level];
  if (!level) level = std::make_unique<Level>();
  Chunk*& first = level->slots[place.slot];
  TimerCell* cell = nullptr;
  if (first != nullptr) cell = std::find(std::begin(first->cells), std::end(first->cells), nullptr);
  if (first == nullptr || cell == std::end(first->cells)) {
    first = new Chunk{first, {}};
    cell = first->cells;
    level->occupied |= std::uint64_t{1} << place.slot;
    occupied_ |= std::uint32_t{1} << place.level;
  }
  entry.stand_in(*cell, TimerEntry::in_slot);
  return *cell;
}

SmallWheel::Chunk* SmallWheel::take(Place place) {
  Level& level = *levels_[place.level];
  level.occupied &= ~(std::uint64_t{1} << place.slot);
  if (level.occupied == 0) occupied_ &= ~(std::uint32_t{1} << place.level);
  return std::exchange(level.slots[place.slot], nullptr);
}

void SmallWheel::insert(TimerEntry& entry) {
  TimerCell& cell = put(entry);
  if (entry.deadline() >= earliest_) return;
  earliest_ = entry.deadline();
  watched_ = &cell;
}

Instant SmallWheel::next() {
  if (moving_ != nullptr || earliest_ == given_up_) return earliest_;
  if (watched_ != nullptr && *watched_ != nullptr && (*watched_)->armed() &&
      (*watched_)->deadline() == earliest_) {
    return earliest_;
  }
  earliest_ = Instant::never();
  watched_ = nullptr;
  for (int looks = step_max; occupied_ != 0;) {
    const Place first = first_place();
    if (!look_into(first, looks)) {
      watched_ = nullptr;
      return earliest_ = given_up_ = Instant::from_nanoseconds(start_of(first));
    }
    if (watched_ != nullptr) return earliest_;
    for (Chunk* chunk = take(first); chunk != nullptr;) delete std::exchange(chunk, chunk->next);
  }
  return earliest_;
}

// Finds the earliest entry of a slot, `watched_`, and tidies the slot on the way: drops entries that were
// disarmed, and places those again that were moved later. Returns false if there are too many to look at.
bool SmallWheel::look_into(Place place, int& looks) {
  for (Chunk* chunk = levels_[place.level]->slots[place.slot]; chunk != nullptr; chunk = chunk->next) {
    for (TimerCell& cell : chunk->cells) {
      if (cell == nullptr) continue;
      if (--looks < 0) return false;
      TimerEntry& entry = *cell;
      if (!entry.armed()) {
        entry.leave();
      } else if (place_of(entry) != place) {
        put(entry);
        cell = nullptr;
      } else if (watched_ == nullptr || entry.deadline() < earliest_) {
        earliest_ = entry.deadline();
        watched_ = &cell;
      }
    }
  }
  return true;
}

void SmallWheel::advance(Instant now, List<Runnable>& due) {
  if (now < earliest_) return;
  earliest_ = now;  // there is more to do until all of it is done, even if memory fails in the middle
  watched_ = nullptr;
  given_up_ = Instant::never();
  for (int budget = step_max; move_down(budget) && budget > 0; --budget) {
    if (occupied_ == 0 || start_of(first_place()) > now.nanoseconds()) {
      earliest_ = now + Duration::nanoseconds(1);  // a bound, until `next` is called
      return;
    }
    const Place first = first_place();
    const Chunk& chunk = *levels_[first.level]->slots[first.slot];
    TimerEntry* found = nullptr;
    int entries = chunk.next == nullptr ? 0 : 1;
    for (const TimerCell cell : chunk.cells) {
      if (cell == nullptr) continue;
      found = cell;
      ++entries;
    }
    const bool alone = entries == 1 || first.level == 0;  // there all are equal, if there ever are two
    if (found == nullptr || !alone || !found->armed() || place_of(*found) != first) {
      enter(first);
    } else if (found->deadline() <= now) {
      found->leave();
      found->expire(due);
    } else {
      earliest_ = found->deadline();
      return;
    }
  }
}

// Moves the clock to the start of a slot, whose entries are to be placed again. The levels below are empty.
void SmallWheel::enter(Place place) {
  if (place.level < order_levels) {
    const int shift = place.level * bits;
    order_ = ((order_ >> shift & ~std::uint32_t{63}) | static_cast<std::uint32_t>(place.slot)) << shift;
  } else {
    time_ = start_of(place);
    order_ = 0;
    order_began_ = armed_ - (std::uint32_t{1} << 31);
  }
  moving_ = take(place);
}

// Places the entries of the slot that was entered. Returns false if the budget did not suffice.
bool SmallWheel::move_down(int& budget) {
  while (Chunk* chunk = moving_) {
    if (budget <= 0) return false;
    for (TimerCell& cell : chunk->cells) {
      if (cell == nullptr) continue;
      --budget;
      if (cell->armed()) {
        put(*cell);
      } else {
        cell->forget_cell();
      }
      cell = nullptr;
    }
    moving_ = chunk->next;
    delete chunk;
  }
  return true;
}

}  // namespace escapement
