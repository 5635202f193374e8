// A hierarchical timer wheel that fires in exact order.
//
//     young    [a|b|c| | ... ]                 32 cells inside the wheel: where every entry begins
//                  | when they are full
//                  v
//     level 1  |....|....|..x.|....|  ...      2,048 slots of 67 ms: 2.3 minutes
//                         |
//                  | when the clock enters the slot
//                  v
//     level 0  |.|.|x|.|x|.|.|.|  ...          2,048 slots of one tick, 32.8 us: 67 ms
//                    |
//                  | and again
//                  v
//     current  [a b c]                         what is due in this tick, in order to the nanosecond
//
// (Varghese and Lauck: "Hashed and hierarchical timing wheels", SOSP 1987, scheme 7.) A tick is 2^15 ns.
// Level l is a ring of 2,048 slots of 2,048^l ticks, the clock's own first; five levels cover every 64-bit
// deadline. An entry goes to the lowest level that reaches its tick: constant time, no comparison with other
// entries, no allocation per entry. When the clock enters a slot of a higher level, the slot's entries are
// placed again, lower. Wide levels make that rare and small: a deadline 30 s away moves once, and of a
// million deadlines within the next minute a slot holds eleven hundred.
//
// It differs from other wheels in these ways:
//
// - Exact. A wheel alone knows time only to a tick, and by slots. Here entries keep their nanoseconds, those
//   of the current tick stand in a heap (current_tick.h), and equal deadlines fire in the order in which they
//   were armed, which each entry remembers. `next()` is the earliest deadline itself.
// - Young. Most timers of a server are cancelled long before they are due. They are born into a row of 32
//   cells and mostly die there: arming and destroying such a timer never computes a slot. A wheel that never
//   holds more than 32 (a Worker's request, say) has no levels at all.
// - Lazy. Cancelling and moving later are one store into the entry (entry.h); the wheel finds out when it
//   comes by, and then drops the entry or places it anew. libuv, libev, libevent and asio keep heaps, where
//   each change is a walk; tokio's and folly's wheels unlink from a list, which touches the cache lines of
//   two unrelated entries.
// - Blocks. A slot is a list of cache lines full of pointers (block.h), not a list through the entries.
// - Bounded. One call of `advance` looks at no more than `step_max` entries, whatever has to move or fire.
//   The rest waits for the next call, and `next()` says that there is more at once, so a burst of a million
//   timers or a cascade of as many lets I/O run in between. Nothing fires out of order meanwhile.
//
// The price: an entry is 28 bytes and its cell 11 (20 and 5 on wasm), and while it stands in the current tick
// 32 more (20). The wheel itself is 0.5 KiB, then half a KiB for each 64 slots that are used. After the
// earliest entry was cancelled, `next()` has to look for another, in one slot as a rule; where it would have
// to look at more than `step_max` it returns the start of that slot instead: the loop wakes once more than it
// needed, once per level.
//
// Memory. A call that gets none (std::bad_alloc) loses no entry and fires none twice or out of order: the
// next call goes on where it stopped.
//
// Time. Deadlines before the clock are due at once, in order. `never()` is a deadline like others, due when
// the clock gets there. A clock that jumps far (a suspended machine, a stopped process) costs what is due,
// not what was passed. The clock must not go back.
//
// The wheel is pure arithmetic: no clock, no coroutine, no reactor. `advance` says what time it is.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <escapement/timers/detail/block.h>
#include <escapement/timers/detail/current_tick.h>
#include <escapement/timers/detail/slot_ring.h>
#include <escapement/timers/detail/ticks.h>
#include <escapement/timers/entry.h>

namespace escapement {

// A queue of timer entries; the reactor's.
class TimerWheel final : public TimerQueue {
 public:
  // The most entries that one call of `advance` or `next` looks at.
  static constexpr int step_max = 2048;
  static constexpr int nursery_max = 32;

  // `start` is the time at which its clock begins.
  explicit TimerWheel(Instant start = Instant());
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  // Disarms all entries that are still armed.
  ~TimerWheel() override;

  void insert(TimerEntry& entry) override {
    forget_gone_nursery();
    if (nursery_count_ == nursery_max) make_room();
    detail::TimerCell& cell = nursery_[nursery_count_++];
    entry.stand_in(cell);
    if (entry.deadline() >= earliest_) return;
    earliest_ = entry.deadline();
    pool_.watched = &cell;
  }

  // Returns the earliest deadline. Between `advance` calls that left something to do, returns an instant that
  // has passed; rarely (see above) one that is earlier than the earliest deadline. Never returns a later one.
  Instant next() override;

  // Expires the entries that are due at `now`, in order, at most `step_max` of them. If any are left,
  // `next()` has passed, and the next calls expire them.
  void advance(Instant now, List<Runnable>& due) override;

  // Moves the young entries to their places in the levels now. For tests: this happens by itself when there
  // are many.
  void flush_nursery();

  // Returns how many entries are armed. Looks at all of them: for tests, and for a scrape now and then.
  std::size_t size() const;
  // Returns the bytes that the wheel occupies now, with cells, without entries.
  std::size_t memory() const;

  // Checks that every entry stands where it belongs. For tests and debug builds; looks at all of them.
  void validate();

 private:
  static constexpr int level_count = 5;
  using Ring = detail::SlotRing;
  using Spot = detail::SlotRing::Spot;

  // A slot, named by its time: it begins with the tick `start`, which is not before the clock.
  struct Place {
    detail::Tick start;
    int level;
    detail::Tick last() const { return start | ((detail::Tick{1} << (level * Ring::bits)) - 1); }
  };
  static constexpr detail::Tick no_tick = INT64_MAX;
  static constexpr Place no_place{no_tick, -1};

  Place place_at(int level, detail::Tick tick) const;
  Place first_place_on(int level);
  Place first_place();
  Place first_higher_place();
  Spot spot_at(Place place);

  void place(TimerEntry& entry);
  void make_list(Spot spot);
  void put_into_list(detail::BlockLink& list, TimerEntry& entry);
  bool stays(detail::TimerCell& cell, detail::Tick last_tick);

  void forget_gone_nursery() {
    while (nursery_count_ > 0 && nursery_[nursery_count_ - 1] == nullptr) --nursery_count_;
  }
  void make_room();
  void place_nursery(Instant now);

  Instant look_for_earliest();
  void look_everywhere();
  void look_on(int level, int& looks);
  bool look_into(Place place, int& looks);
  bool look_at_current(int& looks);
  // Notes that `entry` has moved to `cell`.
  void notice(detail::TimerCell& cell, const TimerEntry& entry) {
    if (entry.deadline() == earliest_) pool_.watched = &cell;
  }
  void consider(detail::TimerCell& cell);
  void give_up_looking(Instant bound);

  void open(Place place, Instant now, List<Runnable>& due, int& budget);
  void move_down(int& budget);
  bool fire(Instant now, List<Runnable>& due, int& budget);
  void drop_changed_top();

  // Visits every cell that may hold an entry, and every block; `block` may give it back.
  template <class CellVisit, class BlockVisit>
  void for_each(CellVisit cell, BlockVisit block);
  void validate_slot(Place place, Spot spot) const;

  detail::TimerCell nursery_[nursery_max] = {};
  int nursery_count_ = 0;
  detail::Tick clock_;                  // the current tick: entries in slots are later
  detail::Tick higher_from_ = no_tick;  // no occupied slot above level 0 starts before this tick
  std::unique_ptr<Ring> levels_[level_count];
  detail::BlockLink cascading_ = 0;  // of the slot that the clock has entered: not placed again yet
  detail::CurrentTick current_;
  // Its `watched` is the cell of an entry that was due at `earliest_`; the cell's content is checked before
  // use.
  detail::BlockPool pool_;
  // The bound that `next()` returned when it gave up looking, and returns again as long as it is earliest_.
  Instant given_up_ = Instant::never();
};

}  // namespace escapement
