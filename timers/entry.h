// TimerEntry: a place in a timer queue. What sleeps, timeouts and idle limits are made of.

#pragma once

#include <cstdint>
#include <cstring>

#include <escapement/core/reactor.h>
#include <escapement/timers/block.h>

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
  // entry that is armed again comes after those that already have the same deadline.
  template <class Queue>
  void arm(Queue& queue, Instant deadline, Runnable& target) {
    const bool keeps_cell = cell_ != nullptr && (!in_block_cell() || deadline >= this->deadline());
    if (!keeps_cell) leave();
    deadline_ = deadline.nanoseconds();
    target_ = &target;
    TimerQueue& base = queue;
    order_ = base.armed_++;
    if (!keeps_cell) return queue.insert(*this);
    if (deadline < base.earliest_) base.earliest_ = deadline;
  }
  void disarm() { target_ = nullptr; }

  // False before `arm` and from the moment it is due.
  bool armed() const { return target_ != nullptr; }
  // The last one armed.
  Instant deadline() const { return Instant::from_nanoseconds(deadline_); }

  // --- For implementations of TimerQueue

  // The entry's cell is `cell`, which it empties when it is destroyed. It may be armed anew with any
  // deadline while it stands there, and the queue must notice by itself.
  void stand_in(detail::TimerCell& cell) {
    cell = this;
    cell_ = &cell;
  }
  // The same for a cell in a Block; a deadline earlier than the last one makes it leave that.
  void stand_in_block(detail::TimerCell& cell) {
    cell = this;
    cell_ = reinterpret_cast<detail::TimerCell*>(reinterpret_cast<std::uintptr_t>(&cell) | 1);
  }
  bool stands_in(const detail::TimerCell& cell) const {
    return (cell_address() & ~std::uintptr_t{1}) == reinterpret_cast<std::uintptr_t>(&cell);
  }
  // The queue has emptied its cell, or is about to.
  void forget_cell() { cell_ = nullptr; }
  // Empties its cell, if it has one.
  void leave() {
    if (cell_ == nullptr) return;
    if (in_block_cell()) {
      detail::Block::vacate(*reinterpret_cast<detail::TimerCell*>(cell_address() - 1));
    } else {
      *static_cast<detail::TimerCell*>(cell_) = nullptr;
    }
    cell_ = nullptr;
  }
  // It is due: no longer armed, its cell forgotten, its target ready.
  void expire(List<Runnable>& due) {
    Runnable* target = target_;
    target_ = nullptr;
    cell_ = nullptr;
    if (!target->linked()) due.push_back(*target);
  }
  // Which of two entries with equal deadlines was armed first. Exact as long as fewer than 2^31 entries were
  // armed in between.
  std::uint32_t order() const { return order_; }
  bool armed_before(const TimerEntry& other) const {
    return static_cast<std::int32_t>(order_ - other.order_) < 0;
  }

 private:
  std::uintptr_t cell_address() const {
    return reinterpret_cast<std::uintptr_t>(static_cast<detail::TimerCell*>(cell_));
  }
  bool in_block_cell() const { return (cell_address() & 1) != 0; }

  detail::Words<Runnable*> target_ = nullptr;         // null: not armed
  detail::Words<std::int64_t> deadline_ = 0;          // nanoseconds
  detail::Words<detail::TimerCell*> cell_ = nullptr;  // where the queue keeps it; bit 0: in a Block
  std::uint32_t order_ = 0;
};

static_assert(sizeof(TimerEntry) == 12 + 2 * sizeof(void*));

}  // namespace escapement
