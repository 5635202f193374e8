// Barrier: a number of tasks wait for each other, again and again, before each next phase.
//
//     Task<> part(Barrier& barrier, Board& board, int row) {
//       for (int round = 0; round < 100; ++round) {
//         co_await compute(board, row);
//         const bool last = co_await barrier.arrive_and_wait();
//         if (last) board.swap();
//         co_await barrier.arrive_and_wait();
//       }
//     }

#pragma once

#include <cstddef>

#include <escapement/core/detail/check.h>
#include <escapement/core/list.h>
#include <escapement/core/task.h>

namespace escapement {

// Must outlive the operations on it. Destroying it leaves tasks that wait suspended for ever.
class Barrier {
 public:
  // The operation that `arrive_and_wait` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Arrival
      : public ListNode,
        public detail::OperationBase<Arrival, bool> {
   public:
    static constexpr const char* waits_for = "barrier";
    explicit Arrival(Barrier& barrier) : barrier_(barrier) {}
    Arrival(Arrival&& other) noexcept : barrier_(other.barrier_) {}
    // A cancelled task has not arrived.
    ~Arrival() {
      if (linked()) --barrier_.arrived_;
    }
    bool await_ready() noexcept {
      if (barrier_.arrived_ + 1 < barrier_.parties_) return false;
      barrier_.release();
      last_ = true;
      return true;
    }
    void suspend(detail::PromiseBase& task) {
      task_ = &task;
      ++barrier_.arrived_;
      barrier_.waiting_.push_back(*this);
    }
    bool await_resume() const noexcept { return last_; }

   private:
    friend class Barrier;
    Barrier& barrier_;
    detail::PromiseBase* task_ = nullptr;
    bool last_ = false;
  };

  // Makes a barrier for `parties` tasks, 1 or more (checked).
  explicit Barrier(std::size_t parties) : parties_(parties) {
    ESC_CHECK(parties > 0, "a Barrier must have at least one party");
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // Waits until as many tasks as there are parties have arrived; then the next phase begins. Yields true for
  // the last one to arrive, which continues at once, before the others. An operation (task.h) that cannot
  // fail. A cancelled task has not arrived: the others wait for another one.
  Arrival arrive_and_wait() { return Arrival(*this); }
  // Returns how many tasks wait for the others now.
  std::size_t arrived() const { return arrived_; }
  std::size_t parties() const { return parties_; }

 private:
  void release() {
    arrived_ = 0;
    while (Arrival* first = waiting_.pop_front()) {
      Reactor& reactor = first->task_->reactor();
      reactor.check_thread();
      reactor.ready(*first->task_);
    }
  }

  std::size_t parties_;
  std::size_t arrived_ = 0;  // in waiting_
  List<Arrival> waiting_;
};

}  // namespace escapement
