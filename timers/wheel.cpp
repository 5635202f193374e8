#include <escapement/timers/wheel.h>

#include <algorithm>
#include <bit>

#include <escapement/timers/ticks.h>

namespace escapement {

using detail::tick_of;

namespace {

// Moves the entries of both into `into`, by deadline; where equal, `earlier` first.
void merge(List<TimerEntry>& earlier, List<TimerEntry>& later, List<TimerEntry>& into) {
  while (!earlier.empty() && !later.empty()) {
    List<TimerEntry>& from = later.front().deadline() < earlier.front().deadline() ? later : earlier;
    into.push_back(*from.pop_front());
  }
  into.splice_back(earlier);
  into.splice_back(later);
}

// Stable, in place, n log n, and one walk when the slot is in order already, as it nearly always is.
// Bottom-up merge sort: runs[i] holds 2^i entries or none, and the higher runs came earlier.
void sort_by_deadline(List<TimerEntry>& slot) {
  const auto earlier = [](TimerEntry& a, TimerEntry& b) { return a.deadline() < b.deadline(); };
  if (std::is_sorted(slot.begin(), slot.end(), earlier)) return;
  std::array<List<TimerEntry>, 32> runs;
  while (TimerEntry* entry = slot.pop_front()) {
    List<TimerEntry> carried;
    carried.push_back(*entry);
    std::size_t i = 0;
    for (; !runs[i].empty(); ++i) {
      List<TimerEntry> merged;
      merge(runs[i], carried, merged);
      carried.splice_back(merged);
    }
    runs[i].splice_back(carried);
  }
  for (List<TimerEntry>& run : runs) {
    List<TimerEntry> merged;
    merge(run, slot, merged);
    slot.splice_back(merged);
  }
}

}  // namespace

TimerWheel::TimerWheel(Instant start) : clock_(tick_of(start)) {}

TimerWheel::~TimerWheel() = default;

void TimerWheel::insert(TimerEntry& entry) {
  put(entry);
  ++size_;
  if (next_known_ && entry.deadline() < next_) next_ = entry.deadline();
}

void TimerWheel::remove(TimerEntry& entry) {
  const Place place{static_cast<int>(entry.position) / slots_per_level,
                    static_cast<int>(entry.position) % slots_per_level};
  entry.unlink();
  --size_;
  Level& level = *levels_[place.level];
  if (level.slots[place.slot].empty()) level.occupied &= ~(std::uint64_t{1} << place.slot);
  if (entry.deadline() == next_) next_known_ = false;
}

Instant TimerWheel::next() {
  if (!next_known_) {
    const Place first = first_occupied();
    next_ = first.level < 0 ? Instant::never() : earliest_in(slot_at(first));
    next_known_ = true;
  }
  return next_;
}

void TimerWheel::advance(Instant now, List<Runnable>& due) {
  if (now < next()) return;
  const std::uint64_t target = std::max(clock_, tick_of(now));
  for (;;) {
    const Place first = first_occupied();
    if (first.level < 0) break;
    const std::uint64_t start = std::max(clock_, start_of(first));
    if (start > target) break;
    clock_ = start;
    if (first.level == 0) {
      fire_current_slot(now, due);
      if (!slot_at(first).empty()) break;  // what is left in the current tick is not due yet
    } else {
      enter_slot(first);
    }
  }
  clock_ = target;
  next_known_ = false;
}

// The level is that of the highest group of bits in which the deadline's tick differs from the clock's. A
// deadline that has passed belongs to the current tick.
TimerWheel::Place TimerWheel::place_for(Instant deadline) const {
  const std::uint64_t tick = std::max(clock_, tick_of(deadline));
  const std::uint64_t differing = tick ^ clock_;
  const int level = differing == 0 ? 0 : (63 - std::countl_zero(differing)) / slot_bits;
  return {level, static_cast<int>(tick >> (level * slot_bits)) & (slots_per_level - 1)};
}

List<TimerEntry>& TimerWheel::slot_at(Place place) { return levels_[place.level]->slots[place.slot]; }

void TimerWheel::put(TimerEntry& entry) {
  const Place place = place_for(entry.deadline());
  std::unique_ptr<Level>& level = levels_[place.level];
  if (!level) level = std::make_unique<Level>();
  level->slots[place.slot].push_back(entry);
  level->occupied |= std::uint64_t{1} << place.slot;
  entry.position = static_cast<std::uint32_t>(place.level * slots_per_level + place.slot);
}

// Everything on a level is earlier than everything on the levels above it, and slots before the clock's own
// are empty, so the first occupied slot is the lowest one of the lowest level that has any.
TimerWheel::Place TimerWheel::first_occupied() const {
  for (int level = 0; level < level_count; ++level) {
    if (levels_[level] && levels_[level]->occupied != 0) {
      return {level, std::countr_zero(levels_[level]->occupied)};
    }
  }
  return {-1, 0};
}

// The first tick of a slot: the clock's bits above the level, then the slot, then zeros.
std::uint64_t TimerWheel::start_of(Place place) const {
  const int shift = place.level * slot_bits;
  const std::uint64_t above = clock_ >> shift >> slot_bits;
  return ((above << slot_bits) | static_cast<std::uint64_t>(place.slot)) << shift;
}

// Places the entries of a slot that the clock has just entered again; they go to lower levels.
void TimerWheel::enter_slot(Place place) {
  List<TimerEntry> entries;
  entries.splice_back(slot_at(place));
  levels_[place.level]->occupied &= ~(std::uint64_t{1} << place.slot);
  while (TimerEntry* entry = entries.pop_front()) put(*entry);
}

// Takes what is due out of the current tick's slot, in order. Stable sorting keeps equal deadlines as
// they came.
void TimerWheel::fire_current_slot(Instant now, List<Runnable>& due) {
  const Place place{0, static_cast<int>(clock_) & (slots_per_level - 1)};
  List<TimerEntry>& slot = slot_at(place);
  sort_by_deadline(slot);
  while (!slot.empty() && slot.front().deadline() <= now) {
    slot.pop_front()->expire(due);
    --size_;
  }
  if (slot.empty()) levels_[0]->occupied &= ~(std::uint64_t{1} << place.slot);
}

Instant TimerWheel::earliest_in(List<TimerEntry>& slot) const {
  Instant earliest = Instant::never();
  for (TimerEntry& entry : slot) earliest = std::min(earliest, entry.deadline());
  return earliest;
}

std::size_t TimerWheel::memory() const {
  std::size_t bytes = sizeof(*this);
  for (const std::unique_ptr<Level>& level : levels_) bytes += level ? sizeof(Level) : 0;
  return bytes;
}

void TimerWheel::validate() {
  std::size_t seen = 0;
  Instant earliest = Instant::never();
  for (int level = 0; level < level_count; ++level) {
    for (int slot = 0; levels_[level] && slot < slots_per_level; ++slot) {
      const bool marked = (levels_[level]->occupied >> slot & 1) != 0;
      ESC_CHECK(marked == !levels_[level]->slots[slot].empty());
      for (TimerEntry& entry : levels_[level]->slots[slot]) {
        const Place place = place_for(entry.deadline());
        ESC_CHECK(place.level == level && place.slot == slot);
        ESC_CHECK(entry.position == static_cast<std::uint32_t>(level * slots_per_level + slot));
        earliest = std::min(earliest, entry.deadline());
        ++seen;
      }
    }
  }
  ESC_CHECK(seen == size_);
  ESC_CHECK(!next_known_ || next_ == earliest);
}

}  // namespace escapement
