// TimerEntry: an entry of a timer queue. Sleeps, timeouts and idle limits are made of these.

#pragma once

#include <cstdint>
#include <cstring>

#include <escapement/core/reactor.h>
#include <escapement/timers/detail/block.h>

namespace escapement {

namespace detail {

// A value kept in 32-bit words, so that its holder needs no more than their alignment.
template <class T>
class Words {
 public:
  Words(T value = T()) { *this = value; }
  Words& operator=(T value) {
    std::memcpy(words_, &value, sizeof value);
    return *this;
  }
  operator T() const {
    T value;
    std::memcpy(&value, words_, sizeof value);
    return value;
  }

 private:
  static_assert(sizeof(T) % sizeof(std::uint32_t) == 0);
  std::uint32_t words_[sizeof(T) / sizeof(std::uint32_t)];
};

}  // namespace detail

// Makes a target ready once, at or after a deadline. 28 bytes, 20 on wasm; pinned, because its queue points
// at it. Nothing is allocated for it.
//
// It is fast because it is lazy. `disarm` is one store, and so is moving the deadline later: the entry keeps
// its cell in the queue, and the queue finds out what has become of it when the time of that cell comes.
// Destroying an entry empties its cell; nothing follows.
//
// Queue and target must outlive an armed entry. A queue that is destroyed disarms its entries. An entry that
// has been armed stays with that queue until it is due, or destroyed.
class TimerEntry {
 public:
  TimerEntry() = default;
  // Makes an entry that is not armed and keeps `deadline` until it is.
  explicit TimerEntry(Instant deadline) : deadline_(deadline.nanoseconds()) {}
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;
  ~TimerEntry() { leave(); }

  // Makes `target` ready at `deadline`. An armed entry is re-armed: its earlier deadline is forgotten, and it
  // comes after the entries that already have the new one. Without memory (std::bad_alloc, rarely: when the
  // queue's young entries get their places) the entry is not armed.
  template <class Queue>
  void arm(Queue& queue, Instant deadline, Runnable& target) {
    const bool keeps_cell = cell_ != 0 && (place() == young || deadline >= this->deadline());
    if (!keeps_cell) leave();
    deadline_ = deadline.nanoseconds();
    TimerQueue& base = queue;
    order_ = base.armed_++;
    target_ = &target;
    if (keeps_cell) {
      if (deadline < base.earliest_) base.earliest_ = deadline;
      return;
    }
    struct DisarmUnlessInserted {
      ~DisarmUnlessInserted() {
        if (!inserted) entry.disarm();
      }
      TimerEntry& entry;
      bool inserted = false;
    } outcome{*this};
    queue.insert(*this);
    outcome.inserted = true;
  }
  void disarm() { target_ = nullptr; }

  // Returns false before `arm`, and from the moment the entry is due.
  bool armed() const { return target_ != nullptr; }
  // Returns the last deadline that was armed, or given.
  Instant deadline() const { return Instant::from_nanoseconds(deadline_); }

  // --- For implementations of TimerQueue

  // The kind of cell that the entry stands in.
  enum Place : std::uintptr_t {
    young,      // checked whenever the queue looks: any new deadline will do
    in_slot,    // of a slot, or of the current tick: an earlier deadline than the last one makes the entry
                // leave
    in_block,   // the same, in a Block
    place_mask  // two bits
  };
  // Puts the entry into `cell`, which it empties when it leaves.
  void stand_in(detail::TimerCell& cell, Place place = young) {
    cell = this;
    cell_ = reinterpret_cast<std::uintptr_t>(&cell) | place;
  }
  bool stands_in(const detail::TimerCell& cell) const { return &cell == this->cell(); }
  // Called when the queue has emptied the entry's cell, or is about to.
  void forget_cell() { cell_ = 0; }
  // Empties the entry's cell, if it has one.
  void leave() {
    empty_cell(cell_);
    cell_ = 0;
  }
  // Returns the cell that the entry stands in, for `empty_cell` once it has moved to another.
  std::uintptr_t where() const { return cell_; }
  static void empty_cell(std::uintptr_t where) {
    if (where == 0) return;
    detail::TimerCell& cell = *reinterpret_cast<detail::TimerCell*>(where & ~std::uintptr_t{place_mask});
    if ((where & place_mask) == in_block) {
      detail::Block::vacate(cell);
    } else {
      cell = nullptr;
    }
  }
  // Expires the entry: disarms it, forgets its cell and makes its target ready.
  void expire(List<Runnable>& due) {
    Runnable* target = target_;
    target_ = nullptr;
    cell_ = 0;
    if (!target->linked()) due.push_back(*target);
  }
  void prefetch_target() const { __builtin_prefetch(static_cast<Runnable*>(target_), 1); }
  // Tells which of two entries with equal deadlines was armed first. Exact as long as fewer than 2^31 entries
  // were armed in between.
  std::uint32_t order() const { return order_; }
  bool armed_before(const TimerEntry& other) const {
    return static_cast<std::int32_t>(order_ - other.order_) < 0;
  }

 private:
  Place place() const { return static_cast<Place>(cell_ & place_mask); }
  detail::TimerCell* cell() const {
    return reinterpret_cast<detail::TimerCell*>(cell_ & ~std::uintptr_t{place_mask});
  }

  detail::Words<Runnable*> target_ = nullptr;  // null: not armed
  detail::Words<std::int64_t> deadline_ = 0;   // nanoseconds
  detail::Words<std::uintptr_t> cell_ = 0;     // the address of its cell | its Place; 0: none
  std::uint32_t order_ = 0;
};

static_assert(sizeof(TimerEntry) == 12 + 2 * sizeof(void*));

}  // namespace escapement
