#include <escapement/timers/wheel.h>

#include <algorithm>
#include <bit>

#include <escapement/timers/crowded_tick.h>
#include <escapement/timers/ticks.h>

namespace escapement {

using detail::Block;
using detail::BlockLink;
using detail::tick_of;
using detail::TimerCell;

namespace {

constexpr int few = 64;  // entries of one tick that are sorted on the stack

bool fires_before(const TimerEntry* a, const TimerEntry* b) {
  if (a->deadline() != b->deadline()) return a->deadline() < b->deadline();
  return a->armed_before(*b);
}

}  // namespace

TimerWheel::TimerWheel(Instant start) : clock_(tick_of(start)) {}

TimerWheel::~TimerWheel() {
  const auto disown = [](TimerCell cell) {
    if (cell == nullptr) return;
    cell->disarm();
    cell->forget_cell();
  };
  for (TimerCell cell : young_) disown(cell);
  for_each_block([&](Block& block) {
    for (TimerCell cell : block.cells) disown(cell);
    block.release();
  });
}

// --- Places -----------------------------------------------------------------------------------------------

// The level is that of the highest group of bits in which the deadline's tick differs from the clock's. A
// deadline that has passed belongs to the current tick.
TimerWheel::Place TimerWheel::place_of(Instant deadline) const {
  const std::uint64_t tick = std::max(clock_, tick_of(deadline));
  const std::uint64_t differing = tick ^ clock_;
  const int level = differing == 0 ? 0 : (63 - std::countl_zero(differing)) / slot_bits;
  return {level, static_cast<int>(tick >> (level * slot_bits)) & (slots_per_level - 1)};
}

// The clock's bits above the level, then the slot, then zeros.
std::uint64_t TimerWheel::first_tick_of(Place place) const {
  const int shift = place.level * slot_bits;
  const std::uint64_t above = clock_ >> shift >> slot_bits;
  return ((above << slot_bits) | static_cast<std::uint64_t>(place.slot)) << shift;
}

std::uint64_t TimerWheel::last_tick_of(Place place) const {
  return first_tick_of(place) + (std::uint64_t{1} << (place.level * slot_bits)) - 1;
}

BlockLink& TimerWheel::slot_at(Place place) {
  return levels_[place.level]->pages[place.slot / page_slots]->slots[place.slot % page_slots];
}

// Everything on a level is earlier than everything on the levels above it, and slots before the clock's own
// are empty, so the first occupied slot is the lowest one of the lowest level that has any.
TimerWheel::Place TimerWheel::first_occupied() {
  for (int level = 0; level < level_count; ++level) {
    if (!levels_[level]) continue;
    std::uint32_t& pages = levels_[level]->occupied;
    for (; pages != 0; pages &= pages - 1) {
      const int number = std::countr_zero(pages);
      Page& page = *levels_[level]->pages[number];
      for (; page.occupied != 0; page.occupied &= page.occupied - 1) {
        const int slot = std::countr_zero(page.occupied);
        if (page.slots[slot] != 0) return {level, number * page_slots + slot};
      }
    }
  }
  return {-1, 0};
}

void TimerWheel::place(TimerEntry& entry) {
  const Place place = place_of(entry.deadline());
  std::unique_ptr<Level>& level = levels_[place.level];
  if (!level) level = std::make_unique<Level>();
  const int number = place.slot / page_slots;
  std::unique_ptr<Page>& page = level->pages[number];
  if (!page) page = std::make_unique<Page>();
  level->occupied |= std::uint32_t{1} << number;
  page->occupied |= std::uint64_t{1} << (place.slot % page_slots);

  BlockLink& slot = page->slots[place.slot % page_slots];
  Block* block = Block::at(slot);
  if (block == nullptr || block->full()) {
    block = pool_.take();
    block->link_in(slot);
  }
  TimerCell& cell = block->take_cell();
  entry.stand_in_block(cell);
  notice(cell);
}

// What has become of an entry of a slot that ends with `last_tick`: false when it was disarmed, and is
// dropped, or moved later, and is placed there.
bool TimerWheel::stays(TimerCell& cell, std::uint64_t last_tick) {
  TimerEntry& entry = *cell;
  if (entry.armed() && tick_of(entry.deadline()) <= last_tick) return true;
  entry.leave();
  if (entry.armed()) place(entry);
  return false;
}

// --- The young --------------------------------------------------------------------------------------------

void TimerWheel::make_room() {
  int kept = 0;
  for (TimerCell& cell : young_) {
    TimerEntry* entry = std::exchange(cell, nullptr);
    if (entry == nullptr) continue;
    if (!entry->armed()) {
      entry->forget_cell();
      continue;
    }
    entry->stand_in(young_[kept]);
    notice(young_[kept]);
    ++kept;
  }
  young_count_ = kept;
  if (kept > young_max / 2) settle();
}

// Gives those that are due at `now` places in the slots.
void TimerWheel::place_young(Instant now) {
  for (int i = 0; i < young_count_; ++i) {
    TimerEntry* entry = young_[i];
    if (entry == nullptr || (entry->armed() && entry->deadline() > now)) continue;
    young_[i] = nullptr;
    entry->forget_cell();
    if (entry->armed()) place(*entry);
  }
}

void TimerWheel::expire_young(Instant now, List<Runnable>& due) {
  std::array<TimerEntry*, young_max> firing;
  int count = 0;
  for (int i = 0; i < young_count_; ++i) {
    TimerEntry* entry = young_[i];
    if (entry == nullptr || !entry->armed() || entry->deadline() > now) continue;
    young_[i] = nullptr;
    firing[count++] = entry;
  }
  std::sort(firing.begin(), firing.begin() + count, fires_before);
  for (int i = 0; i < count; ++i) firing[i]->expire(due);
}

// --- The earliest -----------------------------------------------------------------------------------------

void TimerWheel::notice(TimerCell& cell) {
  if (cell->deadline() == earliest_) pool_.watched = &cell;
}

Instant TimerWheel::next() {
  if (const TimerCell* watched = pool_.watched) {
    const TimerEntry* entry = *watched;
    if (entry != nullptr && entry->armed() && entry->deadline() == earliest_) return earliest_;
  }
  if (given_up_ == earliest_) return earliest_;
  return look_for_earliest();
}

void TimerWheel::consider(TimerCell& cell) {
  if (pool_.watched != nullptr && cell->deadline() >= earliest_) return;
  earliest_ = cell->deadline();
  pool_.watched = &cell;
}

void TimerWheel::give_up_looking(Instant bound) {
  earliest_ = std::min(earliest_, bound);
  given_up_ = earliest_;
}

Instant TimerWheel::look_for_earliest() {
  earliest_ = Instant::never();
  pool_.watched = nullptr;
  given_up_.reset();
  for (TimerCell& cell : young_) {
    if (cell != nullptr && cell->armed()) consider(cell);
  }
  int looks = step_max;
  if (moving_down_ != 0 || !look_into_crowd(looks)) {
    give_up_looking(detail::start_of_tick(clock_));
    return earliest_;
  }
  for (;;) {
    const Place first = first_occupied();
    if (first.level < 0) break;
    const Instant start = detail::start_of_tick(first_tick_of(first));
    if (start > earliest_) break;
    if (!look_into(first, looks)) give_up_looking(start);
    if (slot_at(first) != 0) break;
  }
  return earliest_;
}

// Finds the earliest entry of a slot, and tidies the slot on the way. False: too many to look at.
bool TimerWheel::look_into(Place place, int& looks) {
  const std::uint64_t last = last_tick_of(place);
  for (Block* block = Block::at(slot_at(place)); block != nullptr;) {
    Block* following = block->next();
    looks -= block->count();
    if (looks < 0) return false;
    block->pin();
    for (TimerCell& cell : block->cells) {
      if (cell != nullptr && stays(cell, last)) consider(cell);
    }
    block->unpin();
    block = following;
  }
  return true;
}

// --- Time passes ------------------------------------------------------------------------------------------

void TimerWheel::advance(Instant now, List<Runnable>& due) {
  if (now < earliest_) return;
  const std::uint64_t target = std::max(clock_, tick_of(now));
  // Where slots are due too, the young go through them, so that all fire in one order.
  if (slots_are_due(target)) {
    place_young(now);
  } else {
    expire_young(now, due);
  }
  int budget = step_max;
  while (budget > 0 && step(now, target, due, budget)) {
  }
  pool_.watched = nullptr;
  given_up_.reset();
  if (budget > 0) {
    clock_ = target;
    earliest_ = now + Duration::nanoseconds(1);  // a bound, until somebody asks
  } else {
    earliest_ = now;
    given_up_ = now;
  }
}

bool TimerWheel::slots_are_due(std::uint64_t target) {
  if (moving_down_ != 0 || crowd_) return true;
  const Place first = first_occupied();
  return first.level >= 0 && first_tick_of(first) <= target;
}

// Does the next thing that is due at `target`. False when there is nothing more.
bool TimerWheel::step(Instant now, std::uint64_t target, List<Runnable>& due, int& budget) {
  if (moving_down_ != 0) {
    move_down(budget);
    return true;
  }
  if (crowd_) return fire_crowd(now, due, budget);
  const Place first = first_occupied();
  if (first.level < 0) return false;
  const std::uint64_t start = std::max(clock_, first_tick_of(first));
  if (start > target) return false;
  clock_ = start;
  if (first.level == 0) return fire_tick(now, due, budget);
  Block::move_list(slot_at(first), moving_down_);
  return true;
}

// Places the entries of a slot that the clock has entered again; they go to lower levels.
void TimerWheel::move_down(int& budget) {
  while (Block* block = Block::at(moving_down_)) {
    if (budget <= 0) return;
    if (const Block* following = block->next()) {
      for (const TimerCell cell : following->cells) __builtin_prefetch(cell, 1);
    }
    for (TimerCell& cell : block->cells) {
      if (cell == nullptr) continue;
      TimerEntry& entry = *cell;
      --budget;
      if (entry.armed()) {
        place(entry);
      } else {
        entry.forget_cell();
      }
    }
    block->release();
  }
}

// Fires what is due of the current tick, in order. False when the rest of it is later.
bool TimerWheel::fire_tick(Instant now, List<Runnable>& due, int& budget) {
  std::array<TimerEntry*, few> firing;
  int count = 0;
  for (Block* block = Block::at(current_slot()); block != nullptr;) {
    Block* following = block->next();
    if (count + block->count() > few) {
      crowd_ = std::make_unique<detail::CrowdedTick>();
      return fire_crowd(now, due, budget);
    }
    block->pin();
    for (TimerCell& cell : block->cells) {
      if (cell == nullptr) continue;
      if (stays(cell, clock_)) firing[count++] = cell;
      --budget;
    }
    block->unpin();
    block = following;
  }
  std::sort(firing.begin(), firing.begin() + count, fires_before);
  for (int i = 0; i < count; ++i) {
    if (firing[i]->deadline() > now) return false;
    firing[i]->leave();
    firing[i]->expire(due);
  }
  return true;
}

// The same for a tick with many entries. All of it goes into the heap before anything fires.
bool TimerWheel::fire_crowd(Instant now, List<Runnable>& due, int& budget) {
  while (budget > 0) {
    if (Block* block = Block::at(current_slot())) {
      budget -= block->count();
      crowd_->adopt(*block);
      for (TimerCell& cell : block->cells) {
        if (cell != nullptr && stays(cell, clock_)) crowd_->add(cell);
      }
      continue;
    }
    if (crowd_->empty()) {
      crowd_.reset();
      return true;
    }
    --budget;
    if (drop_changed_top()) continue;
    if (crowd_->deadline() > now) return false;
    TimerEntry& entry = *crowd_->top();
    crowd_->pop();
    entry.leave();
    entry.expire(due);
  }
  return true;
}

// Takes the crowd's first entry out if it has been disarmed, destroyed or armed anew; a later deadline of it
// counts from now on.
bool TimerWheel::drop_changed_top() {
  if (crowd_->top_is_current()) return false;
  TimerEntry* entry = crowd_->top();
  crowd_->pop();
  if (entry == nullptr) return true;
  entry->leave();
  if (entry->armed()) place(*entry);
  return true;
}

// Finds the crowd's earliest entry. False: there is too much to look at.
bool TimerWheel::look_into_crowd(int& looks) {
  while (crowd_ && !crowd_->empty()) {
    if (--looks < 0) return false;
    if (drop_changed_top()) continue;
    consider(crowd_->top());
    break;
  }
  return true;
}

// --- All of it --------------------------------------------------------------------------------------------

template <class Visit>
void TimerWheel::for_each_block(Visit visit) {
  const auto walk = [&](BlockLink& list) {
    for (Block* block = Block::at(list); block != nullptr;) {
      Block* following = block->next();
      visit(*block);
      block = following;
    }
  };
  for (const std::unique_ptr<Level>& level : levels_) {
    if (!level) continue;
    for (const std::unique_ptr<Page>& page : level->pages) {
      if (!page) continue;
      for (BlockLink& slot : page->slots) walk(slot);
    }
  }
  walk(moving_down_);
  if (crowd_) walk(crowd_->blocks());
}

std::size_t TimerWheel::size() {
  std::size_t armed = 0;
  const auto count = [&](TimerCell cell) { armed += cell != nullptr && cell->armed() ? 1 : 0; };
  for (TimerCell cell : young_) count(cell);
  for_each_block([&](Block& block) { std::for_each(block.cells, block.cells + Block::capacity, count); });
  return armed;
}

std::size_t TimerWheel::memory() const {
  std::size_t bytes = sizeof(*this) + pool_.memory();
  for (const std::unique_ptr<Level>& level : levels_) {
    if (!level) continue;
    bytes += sizeof(Level);
    for (const std::unique_ptr<Page>& page : level->pages) bytes += page ? sizeof(Page) : 0;
  }
  return bytes + (crowd_ ? sizeof(*crowd_) + crowd_->memory() : 0);
}

void TimerWheel::validate() {
  const auto check_cell = [&](TimerCell& cell) {
    if (cell == nullptr) return;
    ESC_CHECK(cell->stands_in(cell));
    // What a call left for the next one is due before the time of that call, which stands for it.
    ESC_CHECK(!cell->armed() || cell->deadline() >= earliest_ || given_up_ == earliest_);
  };
  for (TimerCell& cell : young_) check_cell(cell);
  for (int level = 0; level < level_count; ++level) {
    for (int slot = 0; levels_[level] && slot < slots_per_level; ++slot) {
      if (!levels_[level]->pages[slot / page_slots]) continue;
      const Place place{level, slot};
      for (Block* block = Block::at(slot_at(place)); block != nullptr; block = block->next()) {
        ESC_CHECK(levels_[level]->occupied >> (slot / page_slots) & 1);
        ESC_CHECK(levels_[level]->pages[slot / page_slots]->occupied >> (slot % page_slots) & 1);
        ESC_CHECK(first_tick_of(place) >= clock_);
        int seen = 0;
        for (TimerCell& cell : block->cells) {
          if (cell == nullptr) continue;
          ++seen;
          check_cell(cell);
          // Not later than its deadline, where the wheel will look for it in time.
          if (cell->armed()) ESC_CHECK(first_tick_of(place) <= std::max(clock_, tick_of(cell->deadline())));
        }
        ESC_CHECK(seen == block->count());
      }
    }
  }
}

}  // namespace escapement
