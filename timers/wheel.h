// A hierarchical timer wheel that fires in exact order.
//
//     level 1   |....|....|..x.|....|  ...   64 slots of 64 ticks: 4.2 ms each, 268 ms around
//                          |
//                 when the clock enters this slot, its entries move to
//                          v
//     level 0   |.|.|x|.|x|.|  ...            64 slots of one tick: 65.5 us each, 4.2 ms around
//
// (Varghese and Lauck: "Hashed and hierarchical timing wheels", SOSP 1987, scheme 7.) A tick is 2^16 ns.
// Level l has 64 slots of 64^l ticks; eight levels cover every 64-bit deadline. An entry goes to the level
// of the highest group of six bits in which its tick differs from the clock's: constant time, no
// comparison with other entries, no allocation. When the clock enters a slot of a higher level, the slot's
// entries are placed again, lower; each entry moves at most once per level.
//
// A wheel alone knows time only to a tick, and by slots. This one is exact, as no peer's is:
// - Deadlines keep their nanoseconds in the entries. A level-0 slot holds the few entries of one tick; it
//   is put in order when the clock enters it, and only what is due leaves it.
// - Equal deadlines fire in the order of insertion. For a given clock one deadline has one slot, entries
//   join at its end, and moving a slot's entries down keeps their order; so equal deadlines always stand
//   in order, and the sort is stable.
// - `next()` is the earliest deadline itself, not its slot's start. The minimum is remembered; it is looked
//   for again only after the entry that held it left, and then in one slot.
//
// The price: an insertion touches its two list neighbours, and looking again for the minimum walks one
// slot. A level is 1 KiB (512 bytes on wasm) and is allocated when an entry first needs it, so a wheel that
// lives for one Worker request and sleeps a few times stays small.
//
// Pure arithmetic: no clock, no coroutine, no reactor. `advance` says what time it is.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <escapement/core/reactor.h>

namespace escapement {

class TimerWheel final : public TimerQueue {
 public:
  // `start` is the time at which its clock begins. Deadlines before the clock are kept and due at once.
  explicit TimerWheel(Instant start = Instant());
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  // Entries still armed must not be touched afterwards, except to be destroyed disarmed: destroy them first.
  ~TimerWheel() override;

  void insert(TimerEntry& entry) override;
  void remove(TimerEntry& entry) override;
  Instant next() override;
  // Work: one visit per slot that holds entries and lies in the time passed, plus a constant per due entry
  // and per entry moved down a level.
  void advance(Instant now, List<Runnable>& due) override;

  std::size_t size() const { return size_; }
  // Bytes that the wheel itself occupies now, without its entries.
  std::size_t memory() const;

  // Walks everything and checks that each entry stands where it belongs, with a message naming what does
  // not. For tests and debug builds; takes time in proportion to the number of entries.
  void validate();

 private:
  static constexpr int slot_bits = 6;
  static constexpr int slots_per_level = 1 << slot_bits;
  static constexpr int level_count = 8;

  struct Level {
    std::array<List<TimerEntry>, slots_per_level> slots;
    std::uint64_t occupied = 0;  // bit s: slots[s] holds entries
  };
  struct Place {
    int level;
    int slot;
  };

  Place place_for(Instant deadline) const;
  List<TimerEntry>& slot_at(Place place);
  void put(TimerEntry& entry);
  // The first slot that holds entries, in time; level -1 when there is none.
  Place first_occupied() const;
  std::uint64_t start_of(Place place) const;
  void enter_slot(Place place);
  void fire_current_slot(Instant now, List<Runnable>& due);
  Instant earliest_in(List<TimerEntry>& slot) const;

  std::array<std::unique_ptr<Level>, level_count> levels_;
  std::uint64_t clock_;  // the current tick: every slot that starts before it is empty
  std::size_t size_ = 0;
  Instant next_ = Instant::never();
  bool next_known_ = true;
};

}  // namespace escapement
