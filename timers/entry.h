// TimerEntry: a place in a timer queue. What sleeps, timeouts and idle limits are made of.

#pragma once

#include <cstdint>
#include <cstring>

#include <escapement/core/reactor.h>
#include <escapement/timers/detail/block.h>

namespace escapement {

namespace detail {

// A value kept in 32-bit words, so that what holds it needs no more than their alignment.
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

// At or after its deadline a target is made ready, once. 28 bytes, 20 on wasm; pinned, as its queue points
// at it. Nothing is allocated for it.
//
// It is lazy, and that is what makes it fast. `disarm` is one store, and so is moving the deadline later:
// the entry keeps its cell in the queue, and the queue finds out what has become of it when the time of
// that cell comes. Destroying it empties the cell; nothing follows.
//
// Queue and target must outlive an armed entry. A queue that is destroyed disarms its entries. An entry that
// has been armed stays with that queue until it is due, or destroyed.
class TimerEntry {
 public:
  TimerEntry() = default;
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;
  ~TimerEntry() { leave(); }

  // `target` becomes ready at `deadline`. Re-arms when already armed: the earlier deadline is forgotten. An
  // entry that is armed again comes after those that already have the same deadline. Where there is no memory
  // (std::bad_alloc, rarely: when the queue's young entries get their places) it is not armed.
  template <class Queue>
  void arm(Queue& queue, Instant deadline, Runnable& target) {
    const bool keeps_cell = cell_ != 0 && (place() == young || deadline >= this->deadline());
    if (!keeps_cell) leave();
    deadline_ = deadline.nanoseconds();
    TimerQueue& base = queue;
    order_ = base.armed_++;
    if (!keeps_cell) {
      target_ = nullptr;
      queue.insert(*this);
      target_ = &target;
      return;
    }
    target_ = &target;
    if (deadline < base.earliest_) base.earliest_ = deadline;
  }
  void disarm() { target_ = nullptr; }

  // False before `arm` and from the moment it is due.
  bool armed() const { return target_ != nullptr; }
  // The last one armed.
  Instant deadline() const { return Instant::from_nanoseconds(deadline_); }

  // --- For implementations of TimerQueue

  // What kind of cell it stands in.
  enum Place : std::uintptr_t {
    young,      // looked at whenever the queue looks: any new deadline will do
    in_slot,    // of a slot, or of the current tick: a deadline earlier than the last one makes it leave
    in_block,   // the same, in a Block
    place_mask  // two bits
  };
  // `cell` is its cell from now on, which it empties when it leaves.
  void stand_in(detail::TimerCell& cell, Place place = young) {
    cell = this;
    cell_ = reinterpret_cast<std::uintptr_t>(&cell) | place;
  }
  bool stands_in(const detail::TimerCell& cell) const { return &cell == this->cell(); }
  // The queue has emptied its cell, or is about to.
  void forget_cell() { cell_ = 0; }
  // Empties its cell, if it has one.
  void leave() {
    empty_cell(cell_);
    cell_ = 0;
  }
  // Which cell it stands in, for `empty_cell` when it has moved to another.
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
  // It is due: no longer armed, its cell forgotten, its target ready.
  void expire(List<Runnable>& due) {
    Runnable* target = target_;
    target_ = nullptr;
    cell_ = 0;
    if (!target->linked()) due.push_back(*target);
  }
  void prefetch_target() const { __builtin_prefetch(static_cast<Runnable*>(target_), 1); }
  // Which of two entries with equal deadlines was armed first. Exact as long as fewer than 2^31 entries were
  // armed in between.
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
