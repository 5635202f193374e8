// Broadcast<T>: each receiver gets each message. Bounded: a slow receiver misses the oldest messages, and is
// told how many.
//
//     Broadcast<std::string> lines(256);
//
//     Task<> to_client(Broadcast<std::string>& lines, Stream& client) {
//       Broadcast<std::string>::Receiver receiver(lines);
//       while (std::optional<Broadcast<std::string>::Message> line = co_await receiver.receive()) {
//         if (line->missed() > 0) co_await client.write(as_bytes("[too slow]\n"));
//         co_await client.write(as_bytes(**line));
//       }
//     }
//     lines.send("hello\n");
//
// A message is stored once and shared by all receivers, never copied. It is freed when the last one lets go
// of it; the broadcast itself keeps only what some receiver has still to receive.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <escapement/core/detail/fair_share.h>
#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/detail/ring.h>
#include <escapement/core/list.h>
#include <escapement/core/task.h>

namespace escapement {

// `T` need not be copyable. Must outlive its receivers and the operations on them (not the messages).
template <class T>
class Broadcast {
  static_assert(alignof(T) <= alignof(std::max_align_t), "messages have no more than the usual alignment");
  struct Shared;

 public:
  // A message that was received: shared, and valid as long as this lives, whatever becomes of the broadcast.
  // Copying it shares it once more. One that was moved from must not be used. Must stay on its reactor's
  // thread: the count of its owners is not atomic.
  class Message {
   public:
    Message(const Message& other) noexcept : shared_(other.shared_), missed_(other.missed_) {
      if (shared_ != nullptr) ++shared_->owners;
    }
    Message(Message&& other) noexcept
        : shared_(std::exchange(other.shared_, nullptr)), missed_(other.missed_) {}
    Message& operator=(Message other) noexcept {
      std::swap(shared_, other.shared_);
      std::swap(missed_, other.missed_);
      return *this;
    }
    ~Message() {
      if (shared_ != nullptr && --shared_->owners == 0) delete shared_;
    }

    const T& operator*() const { return shared_->value; }
    const T* operator->() const { return &shared_->value; }
    // Returns how many messages this receiver missed right before this one because it was too slow.
    std::uint64_t missed() const { return missed_; }

   private:
    friend class Broadcast;
    // Takes over one owner's share.
    explicit Message(Shared* shared) : shared_(shared) {}

    Shared* shared_;
    std::uint64_t missed_ = 0;
  };

  class Receiver;

  // The operation that `Receiver::receive` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Receive
      : public ListNode,
        public detail::OperationBase<Receive, std::optional<Message>> {
   public:
    static constexpr const char* waits_for = "broadcast";
    explicit Receive(Receiver& receiver) : receiver_(receiver) {}
    Receive(Receive&& other) noexcept : receiver_(other.receiver_) {}
    bool await_ready() {
      Broadcast& from = *receiver_.from_;
      return receiver_.behind() > 0 ? from.share_.take() : from.closed_;
    }
    void suspend(detail::PromiseBase& task) {
      Broadcast& from = *receiver_.from_;
      from.share_.waits();
      if (receiver_.behind() > 0) return task.reactor().ready_later(task);
      task_ = &task;
      from.waiting_.push_back(*this);
    }
    std::optional<Message> await_resume() {
      ESC_CHECK(receiver_.behind() > 0 || receiver_.from_->closed_,
                "two tasks used one Receiver of a Broadcast at once");
      return receiver_.try_receive();
    }

   private:
    friend class Broadcast;
    Receiver& receiver_;
    detail::PromiseBase* task_ = nullptr;
  };

  // Receives each message that is sent while this lives, for one task at a time (checked). Movable while no
  // task waits for it.
  class [[nodiscard("a receiver that has no name is unsubscribed at once: name it")]] Receiver {
   public:
    // Receives from the next message to be sent.
    [[nodiscard("a receiver that has no name is unsubscribed at once: name it")]]
    explicit Receiver(Broadcast& from)
        : from_(&from), next_(from.end_) {
      ++from.receivers_;
    }
    Receiver(Receiver&& other) noexcept : from_(std::exchange(other.from_, nullptr)), next_(other.next_) {}
    Receiver& operator=(Receiver&&) = delete;
    ~Receiver() {
      if (from_ != nullptr) from_->leave(next_);
    }

    // Waits for the next message. Yields nullopt when the broadcast is closed and this receiver has received
    // everything that is still there. An operation (task.h) that cannot fail. Cancelling it loses no message.
    Receive receive() { return Receive(*this); }
    // Receives without waiting. Returns nullopt if there is no message.
    std::optional<Message> try_receive() {
      if (behind() == 0) return std::nullopt;
      return from_->take(next_);
    }
    // Returns how many messages were sent and not received here yet, those included that are missed already.
    std::uint64_t behind() const { return from_->end_ - next_; }

   private:
    friend class Receive;
    Broadcast* from_;
    std::uint64_t next_;  // the number of the message to receive
  };

  // Makes a broadcast that keeps at most `capacity` messages for its slowest receiver, 1 or more (checked).
  explicit Broadcast(std::size_t capacity) : capacity_(capacity) {
    ESC_CHECK(capacity > 0, "the capacity of a Broadcast must be greater than zero");
  }
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;
  ~Broadcast() { ESC_CHECK(receivers_ == 0, "a Broadcast was destroyed before its receivers"); }

  // Sends `value` to all receivers that exist now, without waiting, and makes those ready that wait, in the
  // order in which they began to. Returns how many receivers there are; with none, or after `close`, the
  // value is destroyed and the result is 0. If the buffer is full its oldest message goes; the receivers that
  // had not received it are told with their next message.
  std::size_t send(T value) {
    if (closed_ || receivers_ == 0) return 0;
    Kept kept(Message(new Shared(std::move(value))), receivers_);
    if (kept_.size() == capacity_) kept_.pop_front();
    kept_.push_back(std::move(kept));
    ++end_;
    wake_waiting();
    return receivers_;
  }

  // Ends the broadcast: receivers get what is there, then nullopt. Closing again does nothing.
  void close() {
    closed_ = true;
    wake_waiting();
  }

  // Returns whether `close` was called; receivers may have messages left.
  bool closed() const { return closed_; }
  // Returns how many receivers there are.
  std::size_t receivers() const { return receivers_; }
  // Returns how many messages are kept for receivers that are behind.
  std::size_t size() const { return kept_.size(); }
  std::size_t capacity() const { return capacity_; }

 private:
  // A message with the count of those that refer to it.
  struct Shared {
    explicit Shared(T&& v) : value(std::move(v)) {}
    static void* operator new(std::size_t size) { return detail::allocate_block(size); }
    static void operator delete(void* block, std::size_t size) noexcept { detail::free_block(block, size); }

    T value;
    std::size_t owners = 1;
  };
  // A message that some receivers have still to receive.
  struct Kept {
    Kept(Message&& m, std::size_t l) : message(std::move(m)), left(l) {}
    Kept(Kept&&) noexcept = default;

    Message message;
    std::size_t left;
  };

  std::uint64_t first() const { return end_ - kept_.size(); }
  Kept& kept_of(std::uint64_t number) { return kept_[static_cast<std::size_t>(number - first())]; }

  // Returns message `next`, or the oldest after it, and advances `next` past it.
  Message take(std::uint64_t& next) {
    const std::uint64_t missed = first() > next ? first() - next : 0;
    next += missed;
    Kept& taken = kept_of(next);
    ++next;
    Message message = taken.message;
    message.missed_ = missed;
    --taken.left;
    free_received();
    return message;
  }
  // Ends a receiver that would have received `next`.
  void leave(std::uint64_t next) {
    --receivers_;
    for (std::uint64_t number = std::max(next, first()); number != end_; ++number) --kept_of(number).left;
    free_received();
  }
  // Frees the messages that nobody has still to receive. They are the oldest: each receiver takes messages in
  // order, and begins with the next one to be sent.
  void free_received() {
    while (!kept_.empty() && kept_.front().left == 0) kept_.pop_front();
  }
  void wake_waiting() {
    while (Receive* first = waiting_.pop_front()) {
      Reactor& reactor = first->task_->reactor();
      reactor.check_thread();
      reactor.ready(*first->task_);
    }
  }

  detail::Ring<Kept> kept_;
  std::size_t capacity_;
  std::uint64_t end_ = 0;  // the number of the next message to be sent
  std::size_t receivers_ = 0;
  List<Receive> waiting_;
  detail::FairShare share_;
  bool closed_ = false;
};

}  // namespace escapement
