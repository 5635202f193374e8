// Channel<T>: a bounded queue between the tasks of one reactor. Single-threaded, so without atomics.
//
//     Channel<Job> jobs(16);
//
//     Task<> worker(Channel<Job>& jobs) {
//       while (std::optional<Job> job = co_await jobs.receive()) co_await process(*std::move(job));
//     }
//     Task<> producer(Channel<Job>& jobs) {
//       co_await jobs.send(Job("first"));
//       co_await jobs.send(Job("second"));
//       jobs.close();  // the workers' loops end when the rest has been received
//     }
//
// Any number of tasks may send and receive. Each value is received once. Values are received in the order in
// which their sends completed; tasks that have to wait are served first come, first served. Nothing is
// allocated per operation: a waiting task's place in the queue is in its own frame, and the buffer grows up
// to the capacity and is then reused.
//
// Cancelling loses nothing. A cancelled `receive` has taken no value: one that was meant for it goes to the
// next. A cancelled `send` has sent nothing: its value is destroyed with it, or stays with the caller if that
// used `send_from`.

#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include <escapement/core/detail/fair_share.h>
#include <escapement/core/detail/fallible_operation.h>
#include <escapement/core/detail/ring.h>
#include <escapement/core/list.h>
#include <escapement/core/task.h>

namespace escapement {

// `T` must move without throwing; it need not be copyable or default-constructible.
//
// Must outlive the operations on it. Destroying a channel leaves the tasks that wait for it suspended for
// ever: this is for owners that are about to destroy those tasks too. None of them may have been woken
// without having run yet (checked).
template <class T>
class Channel {
  static_assert(std::is_nothrow_move_constructible_v<T>, "a channel's values must move without throwing");

 public:
  // The operation that `send` and `send_from` return. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Send
      : public detail::FallibleOperation<Send> {
   public:
    static constexpr const char* waits_for = "channel (send)";
    Send(Channel& channel, T value) : channel_(channel), own_(std::move(value)) {}
    Send(Channel& channel, T* from) : channel_(channel), from_(from) {}
    Send(Send&& other) noexcept
        : detail::FallibleOperation<Send>(std::move(other)),
          channel_(other.channel_),
          own_(std::move(other.own_)),
          from_(other.from_) {}
    // Gives up the room that was granted to a task destroyed before it could run.
    ~Send() {
      if (granted_) channel_.give_up_room();
    }
    bool await_ready() {
      granted_ = channel_.takes_at_once() && channel_.share_.take();
      if (granted_) ++channel_.reserved_;
      return granted_;
    }
    bool wait(detail::PromiseBase& task) {
      if (channel_.closed_) return this->fail_at_once(channel_.why_not_sent());
      channel_.share_.waits();
      if (channel_.takes_at_once()) {
        grant();
        task.reactor().ready_later(task);
      } else {
        channel_.sends_.push_back(*this);
      }
      return true;
    }
    void await_resume() {
      channel_.put(from_ != nullptr ? *from_ : *own_);
      granted_ = false;
    }

   private:
    friend class Channel;
    void grant() {
      granted_ = true;
      ++channel_.reserved_;
    }

    Channel& channel_;
    std::optional<T> own_;
    T* from_ = nullptr;
    bool granted_ = false;
  };

  // The operation that `receive` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Receive
      : public detail::FallibleOperation<Receive, std::optional<T>> {
   public:
    static constexpr const char* waits_for = "channel (receive)";
    explicit Receive(Channel& channel) : channel_(channel) {}
    Receive(Receive&& other) noexcept
        : detail::FallibleOperation<Receive, std::optional<T>>(std::move(other)), channel_(other.channel_) {}
    // Leaves the value that was granted to a task destroyed before it could run to the next.
    ~Receive() {
      if (granted_) channel_.give_up_value();
    }
    bool await_ready() {
      granted_ = channel_.has_value() && channel_.share_.take();
      if (granted_) ++channel_.claimed_;
      return granted_ || (channel_.drained() && !channel_.reason_);
    }
    bool wait(detail::PromiseBase& task) {
      if (channel_.drained()) return this->fail_at_once(*channel_.reason_);
      channel_.share_.waits();
      if (channel_.has_value()) {
        grant();
        task.reactor().ready_later(task);
      } else {
        channel_.receives_.push_back(*this);
      }
      return true;
    }
    std::optional<T> await_resume() {
      if (!std::exchange(granted_, false)) return std::nullopt;
      --channel_.claimed_;
      return channel_.take();
    }

   private:
    friend class Channel;
    void grant() {
      granted_ = true;
      ++channel_.claimed_;
    }

    Channel& channel_;
    bool granted_ = false;
  };

  // Makes a channel that holds at most `capacity` values which were sent and not received yet. `capacity`
  // must be 1 or more (checked). There is no rendezvous of capacity 0: a sender that is cancelled while its
  // value is handed over could not tell whether it was received. To learn that a value was processed, send a
  // OneShot (one_shot.h) with it.
  explicit Channel(std::size_t capacity) : capacity_(capacity) {
    ESC_CHECK(capacity > 0, "the capacity of a Channel must be greater than zero");
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    ESC_CHECK(reserved_ == 0 && claimed_ == 0,
              "a Channel was destroyed before tasks that it had woken: destroy or cancel them first");
  }

  // Waits for room and sends `value`. An operation (task.h). Fails when the channel is closed, before or
  // while it waits: with the reason given to `close`, or with Errc::unavailable and nothing sent. The value
  // is destroyed with a send that fails or is cancelled; where that is a loss use `send_from`.
  Send send(T value) { return Send(*this, std::move(value)); }
  // Does the same with a value that stays with the caller: it is moved from when it is sent, and as it was
  // after a failure or a cancellation. It must outlive the operation.
  //
  //     Result<> sent = co_await with_timeout(1s, jobs.send_from(job)).result();
  //     if (!sent) keep_for_later(std::move(job));
  Send send_from(T& value) { return Send(*this, &value); }
  // Sends without waiting. Returns false, with `value` as it was, if the channel is full or closed, or if
  // others are waiting to send.
  bool try_send(T&& value) {
    if (!takes_at_once()) return false;
    ++reserved_;
    put_or_give_up(value);
    return true;
  }
  bool try_send(const T& value) { return try_send(T(value)); }

  // Waits for a value. Yields nullopt when the channel is closed and everything sent has been received; fails
  // then if it was closed with an error. An operation (task.h).
  Receive receive() { return Receive(*this); }
  // Receives without waiting. Returns nullopt if there is no value, or only those that tasks have already
  // been woken for.
  std::optional<T> try_receive() {
    if (!has_value()) return std::nullopt;
    return take();
  }

  // Ends sending: every later send fails, and so does each that waits for room. What was sent before is still
  // received, also from sends that have been woken by then. Closing again does nothing.
  void close() { close_for(std::nullopt); }
  // The same, for a reason with which sends fail, and receives once everything has been received.
  void close(Error reason) { close_for(std::move(reason)); }

  // Returns whether `close` was called; there may be values left to receive.
  bool closed() const { return closed_; }
  // Returns how many values were sent and not received yet.
  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  std::size_t capacity() const { return capacity_; }

 private:
  bool has_room() const { return items_.size() + reserved_ < capacity_; }
  bool takes_at_once() const { return !closed_ && has_room(); }
  // Returns whether there is a value that no task was woken for.
  bool has_value() const { return items_.size() > claimed_; }
  bool drained() const { return closed_ && items_.empty() && reserved_ == 0; }

  // Puts a value into room that was reserved for it.
  void put(T& value) {
    items_.push_back(std::move(value));
    --reserved_;
    settle();
  }
  void put_or_give_up(T& value) {
    struct GiveUp {
      ~GiveUp() {
        if (channel != nullptr) channel->give_up_room();
      }
      Channel* channel;
    } unless_put{this};
    put(value);
    unless_put.channel = nullptr;
  }
  T take() {
    T value = items_.pop_front();
    settle();
    return value;
  }
  void give_up_room() {
    --reserved_;
    settle();
  }
  void give_up_value() {
    --claimed_;
    settle();
  }

  // Wakes the tasks that can go on after a change. Room is reserved and values are claimed for them, so that
  // each finds its own when it runs.
  void settle() {
    while (has_room() && !sends_.empty()) {
      Send& first = *sends_.pop_front();
      first.grant();
      first.wake();
    }
    while (has_value() && !receives_.empty()) {
      Receive& first = *receives_.pop_front();
      first.grant();
      first.wake();
    }
    if (drained()) end_receives();
  }
  void end_receives() {
    while (Receive* first = receives_.pop_front()) {
      if (reason_) {
        first->wake_to_fail([this] { return *reason_; });
      } else {
        first->wake();
      }
    }
  }

  void close_for(std::optional<Error> reason) {
    if (std::exchange(closed_, true)) return;
    reason_ = std::move(reason);
    while (Send* first = sends_.pop_front()) first->wake_to_fail([this] { return why_not_sent(); });
    settle();
  }
  Error why_not_sent() const {
    if (reason_) return *reason_;
    return Error(Errc::unavailable, "send: the channel is closed").nothing_sent();
  }

  detail::Ring<T> items_;
  std::size_t capacity_;
  std::size_t reserved_ = 0;  // room of sends that were woken and have not run
  std::size_t claimed_ = 0;   // values of receives that were woken and have not run
  List<Send> sends_;          // wait for room
  List<Receive> receives_;    // wait for values
  detail::FairShare share_;
  bool closed_ = false;
  std::optional<Error> reason_;
};

}  // namespace escapement
