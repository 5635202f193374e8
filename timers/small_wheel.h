// A timer wheel of a quarter of the code, for modules that are downloaded.
//
//     level 10 |    |    |    | ...     each level has 64 slots, and six binary digits of the deadline
//       ...                             choose one; the highest digits in which it differs from the
//     level 1  | |x| | | | | | ...      clock choose the level
//     level 0  |x| |x| | | | | ...      one slot a nanosecond
//
// (Varghese and Lauck: "Hashed and hierarchical timing wheels", SOSP 1987, scheme 7, with a tick of one
// nanosecond. As a heap it is known as a radix heap: Ahuja, Mehlhorn, Orlin and Tarjan, "Faster algorithms
// for the shortest path problem", JACM 1990.) The lowest slot of the lowest level that holds anything has the
// entries that are due first. When its time comes, its entries move to lower levels, but an entry that is
// alone there is fired at once. Entries with equal deadlines go on by the digits of the order in which they
// were armed, which is why there are six levels more. So everything is exact without sorting.
//
// It keeps the promises of TimerWheel (wheel.h): exact order, one store to cancel or to move later, bounded
// steps, memory of five bytes an entry on wasm. It differs in these:
//
// - It has no row of young entries: an entry that is armed gets its slot at once. Cancelling and arming costs
//   some 10 ns more.
// - Cells of entries that were destroyed are used again where the next entry of their slot comes; the others
//   are given back when the slot's time comes.
// - An entry that is armed for a time before that of an entry that has fired counts as armed for that time.
// - The clock, and `start`, are not before Instant().

#pragma once

#include <cstdint>
#include <memory>

#include <escapement/timers/entry.h>

namespace escapement {

// A queue of timer entries; the reactor's in a wasm module.
class SmallWheel final : public TimerQueue {
 public:
  // The most entries that one call of `advance` or `next` looks at.
  static constexpr int step_max = 2048;

  // `start` is the time at which its clock begins.
  explicit SmallWheel(Instant start = Instant()) : time_(start.nanoseconds()) {}
  SmallWheel(const SmallWheel&) = delete;
  SmallWheel& operator=(const SmallWheel&) = delete;
  // Disarms all entries that are still armed.
  ~SmallWheel() override;

  void insert(TimerEntry& entry) override;
  // Returns the earliest deadline. Between `advance` calls that left something to do, returns an instant that
  // has passed; where it would have to look at more than `step_max` entries, the start of their slot. Never
  // returns a later one.
  Instant next() override;
  // Expires the entries that are due at `now`, in order, at most `step_max` of them. If any are left,
  // `next()` has passed, and the next calls expire them.
  void advance(Instant now, List<Runnable>& due) override;

 private:
  static constexpr int bits = 6;
  static constexpr int order_levels = 6;                 // of 32 binary digits
  static constexpr int level_count = order_levels + 11;  // and of 63

  // Cells of one slot.
  struct Chunk {
    Chunk* next;
    detail::TimerCell cells[15];
  };
  struct Level {
    std::uint64_t occupied = 0;  // the slots that have chunks
    Chunk* slots[1 << bits] = {};
  };
  struct Place {
    int level;
    int slot;
    bool operator==(const Place&) const = default;
  };

  Place place_of(const TimerEntry& entry) const;
  // Returns the place that is due first. There must be one: `occupied_` is not 0.
  Place first_place() const;
  std::int64_t start_of(Place place) const;
  detail::TimerCell& put(TimerEntry& entry);
  // Returns what stands in a slot, which then is empty.
  Chunk* take(Place place);
  bool look_into(Place place, int& looks);
  void enter(Place place);
  bool move_down(int& budget);

  std::int64_t time_;              // of the slot that was entered last: the clock, or before it
  std::uint32_t order_ = 0;        // the same, of the levels that go by order
  std::uint32_t order_began_ = 0;  // what `order_` counts from
  std::uint32_t occupied_ = 0;     // levels with an occupied slot
  std::unique_ptr<Level> levels_[level_count];
  Chunk* moving_ = nullptr;  // of the slot that was entered: not placed again yet
  // The cell of an entry that was due at `earliest_`; its content is checked before use.
  detail::TimerCell* watched_ = nullptr;
  // The bound that `next` returned when it gave up looking, and returns again as long as it is earliest_.
  Instant given_up_ = Instant::never();
};

}  // namespace escapement
