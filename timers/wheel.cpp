#include <escapement/timers/wheel.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/defer.h>

namespace escapement {

using detail::Block;
using detail::BlockLink;
using detail::Tick;
using detail::tick_of;
using detail::TimerCell;

TimerWheel::TimerWheel(Instant start) : clock_(tick_of(start)) {}

TimerWheel::~TimerWheel() {
  const auto disown = [](TimerCell& cell) {
    if (cell == nullptr) return;
    cell->disarm();
    cell->forget_cell();
  };
  for_each(disown, [](Block& block) { block.release(); });
}

// --- Places -----------------------------------------------------------------------------------------------

namespace {

constexpr int index_of(int level, Tick tick) {
  return static_cast<int>(tick >> (level * detail::SlotRing::bits)) & (detail::SlotRing::size - 1);
}

}  // namespace

// Returns the slot of `level` that `tick` falls into.
TimerWheel::Place TimerWheel::place_at(int level, Tick tick) const {
  return {tick >> (level * Ring::bits) << (level * Ring::bits), level};
}

TimerWheel::Spot TimerWheel::spot_at(Place place) {
  return levels_[place.level]->at(index_of(place.level, place.start));
}

// A ring begins with the clock's own slot: slots before that are a round later.
TimerWheel::Place TimerWheel::first_place_on(int level) {
  const int own = index_of(level, clock_);
  const int found = levels_[level] ? levels_[level]->first_from(own) : -1;
  if (found < 0) return no_place;
  const Tick ahead = (found - own) & (Ring::size - 1);
  return place_at(level, clock_ + (ahead << (level * Ring::bits)));
}

// Returns the occupied slot that starts first; of two, the one on the higher level, which may hold earlier
// deadlines.
TimerWheel::Place TimerWheel::first_place() {
  const Place lowest = first_place_on(0);
  if (lowest.start < higher_from_) return lowest;
  const Place higher = first_higher_place();
  return higher.start <= lowest.start ? higher : lowest;
}

TimerWheel::Place TimerWheel::first_higher_place() {
  Place first = no_place;
  for (int level = 1; level < level_count; ++level) {
    const Place place = first_place_on(level);
    if (place.start <= first.start) first = place;
  }
  higher_from_ = first.start;
  return first;
}

inline void TimerWheel::put_into_list(BlockLink& list, TimerEntry& entry) {
  Block* block = Block::at(list);
  if (block == nullptr || block->full()) {
    block = pool_.take();
    block->link_in(list);
  }
  TimerCell& cell = block->take_cell();
  entry.stand_in(cell, TimerEntry::in_block);
  notice(cell, entry);
}

// Turns a slot that is a single cell into a list.
void TimerWheel::make_list(Spot spot) {
  pool_.reserve();
  spot.page->single &= ~spot.bit;
  TimerEntry& entry = *std::exchange(spot.slot->only, nullptr);
  spot.slot->list = 0;
  put_into_list(spot.slot->list, entry);
}

// Puts the entry on the lowest level whose ring reaches the deadline's tick. A deadline that has passed
// belongs to the current tick.
//
// Without memory it throws and has changed nothing: the entry stands where it stood. So callers that move an
// entry give it its new place first, and empty the old cell then.
void TimerWheel::place(TimerEntry& entry) {
  const Tick tick = tick_of(entry.deadline());
  if (tick <= clock_) return current_.add(entry);
  int level = 0;
  Tick number = tick;  // of the slot, counted from time zero
  for (Tick own = clock_; number - own >= Ring::size; number >>= Ring::bits, own >>= Ring::bits) ++level;
  std::unique_ptr<Ring>& ring = levels_[level];
  if (!ring) ring = std::make_unique<Ring>();
  const int index = static_cast<int>(number) & (Ring::size - 1);
  const Spot spot = ring->use(index);
  if (!spot.slot->empty()) {
    if (spot.single()) make_list(spot);
    return put_into_list(spot.slot->list, entry);
  }
  ring->occupy(index);
  if (level > 0) higher_from_ = std::min(higher_from_, place_at(level, tick).start);
  entry.stand_in(spot.slot->only, TimerEntry::in_slot);
  notice(spot.slot->only, entry);
}

// Returns whether the entry still belongs in the slot that ends with `last_tick`. Drops it if it was
// disarmed, and places it again if it was moved later.
bool TimerWheel::stays(TimerCell& cell, Tick last_tick) {
  TimerEntry& entry = *cell;
  if (entry.armed() && tick_of(entry.deadline()) <= last_tick) return true;
  if (!entry.armed()) {
    entry.leave();
    return false;
  }
  const std::uintptr_t before = entry.where();
  place(entry);
  TimerEntry::empty_cell(before);
  return false;
}

// --- The young --------------------------------------------------------------------------------------------

void TimerWheel::make_room() {
  int kept = 0;
  for (const TimerEntry* entry : nursery_) {
    if (entry != nullptr && entry->armed() && ++kept > nursery_max / 2) return flush_nursery();
  }
  nursery_count_ = 0;
  for (TimerCell& cell : nursery_) {
    TimerEntry* entry = std::exchange(cell, nullptr);
    if (entry == nullptr) continue;
    entry->forget_cell();
    if (!entry->armed()) continue;
    entry->stand_in(nursery_[nursery_count_]);
    notice(nursery_[nursery_count_++], *entry);
  }
}

void TimerWheel::flush_nursery() {
  place_nursery(Instant::never());
  nursery_count_ = 0;
}

// Places the young entries that are due at `now` among the others.
void TimerWheel::place_nursery(Instant now) {
  forget_gone_nursery();
  for (int i = 0; i < nursery_count_; ++i) {
    TimerEntry* entry = nursery_[i];
    if (entry == nullptr || (entry->armed() && entry->deadline() > now)) continue;
    if (entry->armed()) {
      place(*entry);
    } else {
      entry->forget_cell();
    }
    nursery_[i] = nullptr;
  }
}

// --- The earliest -----------------------------------------------------------------------------------------

Instant TimerWheel::next() {
  if (const TimerCell* watched = pool_.watched) {
    const TimerEntry* entry = *watched;
    if (entry != nullptr && entry->armed() && entry->deadline() == earliest_) return earliest_;
  }
  if (given_up_ == earliest_) return earliest_;
  return look_for_earliest();
}

void TimerWheel::consider(TimerCell& cell) {
  const Instant deadline = cell->deadline();
  if (deadline > earliest_ || (deadline == earliest_ && pool_.watched != nullptr)) return;
  earliest_ = deadline;
  pool_.watched = &cell;
}

void TimerWheel::give_up_looking(Instant bound) {
  earliest_ = std::min(earliest_, bound);
  given_up_ = earliest_;
}

Instant TimerWheel::look_for_earliest() {
  // Restores what was known before if looking fails for want of memory: nothing is due before that.
  bool done = false;
  const Defer restore([this, &done, before = earliest_] {
    if (!done) earliest_ = given_up_ = before;
  });
  look_everywhere();
  done = true;
  return earliest_;
}

void TimerWheel::look_everywhere() {
  earliest_ = Instant::never();
  pool_.watched = nullptr;
  given_up_ = Instant::never();
  forget_gone_nursery();
  for (int i = 0; i < nursery_count_; ++i) {
    if (nursery_[i] != nullptr && nursery_[i]->armed()) consider(nursery_[i]);
  }
  int looks = step_max;
  if (cascading_ != 0 || !look_at_current(looks)) {
    return give_up_looking(detail::start_of_tick(clock_));
  }
  look_on(0, looks);
  if (higher_from_ == no_tick || detail::start_of_tick(higher_from_) > earliest_) return;
  for (int level = 1; level < level_count; ++level) look_on(level, looks);
}

// Looks at the first slot of a level, which holds the level's earliest entry.
void TimerWheel::look_on(int level, int& looks) {
  for (;;) {
    const Place first = first_place_on(level);
    if (first.level < 0) return;
    const Instant start = detail::start_of_tick(first.start);
    if (start > earliest_) return;
    if (!look_into(first, looks)) return give_up_looking(start);
    if (!spot_at(first).slot->empty()) return;
  }
}

// Finds the earliest entry of a slot, and tidies the slot on the way. Returns false if there are too many to
// look at.
bool TimerWheel::look_into(Place place, int& looks) {
  const Spot spot = spot_at(place);
  if (spot.single()) {
    if (stays(spot.slot->only, place.last())) consider(spot.slot->only);
    return true;
  }
  for (Block* block = Block::at(spot.slot->list); block != nullptr;) {
    Block* following = block->next();
    looks -= block->count();
    if (looks < 0) return false;
    block->pin();
    const Defer unpin([pinned = block] { pinned->unpin(); });
    for (TimerCell& cell : block->cells) {
      if (cell != nullptr && stays(cell, place.last())) consider(cell);
    }
    block = following;
  }
  return true;
}

// --- Time passes ------------------------------------------------------------------------------------------

void TimerWheel::advance(Instant now, List<Runnable>& due) {
  if (now < earliest_) return;
  const Tick target = std::max(clock_, tick_of(now));
  // There is more to do until all of it is done, even if memory fails in the middle.
  earliest_ = given_up_ = now;
  Place first = first_place();
  // Moves the clock as far as no slot begins: the young entries due before that go into the current tick.
  if (cascading_ == 0 && current_.empty()) clock_ = std::min(target, first.start - 1);
  place_nursery(now);
  int budget = step_max;
  while (budget > 0) {
    if (cascading_ != 0) {
      move_down(budget);
    } else if (first.start <= clock_ || current_.empty()) {
      clock_ = std::min(target, first.start);
      if (first.start > target) break;
      open(first, now, due, budget);
      if (cascading_ != 0) continue;
    } else if (!fire(now, due, budget)) {
      break;
    }
    first = first_place();  // may begin with the clock, which entered slots of several levels at once
  }
  current_.trim();
  pool_.watched = nullptr;
  if (budget <= 0) return;
  given_up_ = Instant::never();
  earliest_ = now + Duration::nanoseconds(1);  // a bound, until `next` is called
}

// Enters a slot.
void TimerWheel::open(Place place, Instant now, List<Runnable>& due, int& budget) {
  const Spot spot = spot_at(place);
  if (!spot.single()) return Block::move_list(spot.slot->list, cascading_);
  --budget;
  if (!stays(spot.slot->only, place.last())) return;
  TimerEntry& entry = *spot.slot->only;
  const bool alone = place.level == 0 && current_.empty();  // nothing else is in this tick
  if (alone && entry.deadline() <= now) {
    entry.expire(due);
  } else {
    this->place(entry);
  }
  spot.slot->only = nullptr;
}

// Places the entries of the slot that the clock has entered on lower levels, or in the current tick.
void TimerWheel::move_down(int& budget) {
  while (Block* block = Block::at(cascading_)) {
    if (budget <= 0) return;
    if (const Block* following = block->next()) {
      __builtin_prefetch(following->next());
      for (const TimerCell cell : following->cells) __builtin_prefetch(cell, 1);
    }
    for (TimerCell& cell : block->cells) {
      if (cell == nullptr) continue;
      TimerEntry& entry = *cell;
      --budget;
      if (entry.armed()) {
        entry.prefetch_target();  // it is due soon
        place(entry);
      } else {
        entry.forget_cell();
      }
      cell = nullptr;
    }
    block->release();
  }
}

// Fires the entries of the current tick that are due, in order. Returns false if the others are later.
bool TimerWheel::fire(Instant now, List<Runnable>& due, int& budget) {
  for (; budget > 0 && !current_.empty(); --budget) {
    if (!current_.top_is_current()) {
      drop_changed_top();
    } else if (current_.deadline() <= now) {
      current_.pop()->expire(due);
    } else {
      return false;
    }
  }
  return true;
}

// Removes the first entry of the current tick, which has been disarmed, destroyed or armed anew. A new
// deadline counts from now on.
void TimerWheel::drop_changed_top() {
  TimerCell& cell = current_.top();
  if (cell != nullptr && cell->armed()) {
    place(*cell);  // perhaps in this tick, and before all others there
    cell = nullptr;
    if (&current_.top() != &cell) return;
  }
  current_.pop();
}

// Finds the earliest entry of the current tick. Returns false if there are too many to look at.
bool TimerWheel::look_at_current(int& looks) {
  for (; !current_.empty() && !current_.top_is_current(); drop_changed_top()) {
    if (--looks < 0) return false;
  }
  if (!current_.empty()) consider(current_.top());
  return true;
}

// --- All of it --------------------------------------------------------------------------------------------

template <class CellVisit, class BlockVisit>
void TimerWheel::for_each(CellVisit visit, BlockVisit visit_block) {
  const auto walk = [&](BlockLink& list) {
    for (Block* block = Block::at(list); block != nullptr;) {
      Block* following = block->next();
      for (TimerCell& cell : block->cells) visit(cell);
      visit_block(*block);
      block = following;
    }
  };
  for (TimerCell& cell : nursery_) visit(cell);
  for (const std::unique_ptr<Ring>& ring : levels_) {
    if (!ring) continue;
    ring->for_each([&](int, Spot spot) {
      if (spot.single()) {
        visit(spot.slot->only);
      } else {
        walk(spot.slot->list);
      }
    });
  }
  walk(cascading_);
  current_.for_each(visit);
}

std::size_t TimerWheel::size() const {
  std::size_t armed = 0;
  const_cast<TimerWheel*>(this)->for_each(
      [&](const TimerCell& cell) { armed += cell != nullptr && cell->armed() ? 1 : 0; }, [](Block&) {});
  return armed;
}

std::size_t TimerWheel::memory() const {
  std::size_t bytes = sizeof(*this) + pool_.memory();
  for (const std::unique_ptr<Ring>& ring : levels_) bytes += ring ? ring->memory() : 0;
  return bytes + current_.memory();
}

void TimerWheel::validate() {
  for_each(
      [&](TimerCell& cell) {
        if (cell == nullptr) return;
        ESC_CHECK(cell->stands_in(cell));
        // Entries that a call left for the next one are due before the time of that call, which stands for
        // them.
        ESC_CHECK(!cell->armed() || cell->deadline() >= earliest_ || given_up_ == earliest_);
      },
      [](Block&) {});
  for (int level = 0; level < level_count; ++level) {
    if (!levels_[level]) continue;
    levels_[level]->for_each([&](int index, Spot spot) {
      const Tick ahead = (index - index_of(level, clock_)) & (Ring::size - 1);
      if (!spot.slot->empty()) validate_slot(place_at(level, clock_ + (ahead << (level * Ring::bits))), spot);
    });
  }
}

// Checks that entries stand no later than their deadlines, where the wheel looks for them in time, and that
// the bits say what is occupied.
void TimerWheel::validate_slot(Place place, Spot spot) const {
  ESC_CHECK((spot.page->occupied & spot.bit) != 0);
  ESC_CHECK(place.level == 0 || place.start >= higher_from_);
  ESC_CHECK(place.start > clock_);
  const auto in_time = [&](const TimerEntry& entry) {
    return !entry.armed() || place.start <= tick_of(entry.deadline());
  };
  if (spot.single()) {
    ESC_CHECK(in_time(*spot.slot->only));
    return;
  }
  for (const Block* block = Block::at(spot.slot->list); block != nullptr; block = block->next()) {
    int seen = 0;
    for (const TimerCell cell : block->cells) {
      if (cell == nullptr) continue;
      ++seen;
      ESC_CHECK(in_time(*cell));
    }
    ESC_CHECK(seen == block->count());
  }
}

}  // namespace escapement
