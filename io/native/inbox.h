// Inbox<T>: a bounded queue into a loop, for values from other threads.
//
//     Inbox<Reading> inbox(100);
//     std::thread sensor([sender = inbox.sender()] {
//       while (sender.send(read_sensor())) {
//       }  // false: nobody receives any more
//     });
//
//     Task<> show(Inbox<Reading>& inbox) {
//       while (std::optional<Reading> reading = co_await inbox.receive()) print(*reading);
//     }
//
// Any number of threads send; one task at a time receives. The values of one sender arrive in its order. A
// burst costs one wake-up of the loop, however many values it has. Tasks of one loop use a Channel
// (core/channel.h), which needs no lock. Native only.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <escapement/core/remote.h>
#include <escapement/core/task.h>
#include <escapement/core/time.h>

namespace escapement {

// The outcome of sending to an Inbox.
enum class Sent {
  sent,    // it is on its way
  full,    // no room, not within the time either; the value is still the caller's
  closed,  // the inbox is closed or gone; likewise
};

namespace detail {

// Shared by the inbox and its senders; guarded by the mutex, except for what says otherwise.
template <class T>
struct InboxState : std::enable_shared_from_this<InboxState<T>> {
  explicit InboxState(std::size_t c) : capacity(c) {}

  // --- On senders' threads

  void add_sender() {
    const std::lock_guard<std::mutex> lock(mutex);
    ++senders;
  }
  void remove_sender() {
    std::unique_lock<std::mutex> lock(mutex);
    if (--senders > 0) return;
    closed = true;
    wake_receiver(lock);
  }
  bool can_go_on() const { return closed || values.size() < capacity; }
  // Calls `wait` if there is no room.
  template <class Wait>
  void wait_for_room(std::unique_lock<std::mutex>& lock, Wait wait) {
    if (can_go_on()) return;
    ESC_CHECK(receiving_thread != FramePool::this_thread(),
              "a loop's thread waits for room in its own Inbox, for ever: use try_send there");
    wait(lock, [this] { return can_go_on(); });
  }
  Sent put_if_room(T& value, std::unique_lock<std::mutex>& lock) {
    if (closed) return Sent::closed;
    if (values.size() >= capacity) return Sent::full;
    values.push_back(std::move(value));
    wake_receiver(lock);
    return Sent::sent;
  }
  // Wakes the receiver, once until it waits again. Gives back the lock.
  void wake_receiver(std::unique_lock<std::mutex>& lock) {
    Remote::Prepared wake = std::move(wake_up);
    const std::optional<Remote> to = remote;
    lock.unlock();
    if (wake) (void)to->post(std::move(wake));
  }

  // --- On the loop's thread

  bool has_value_or_ended() {
    const std::lock_guard<std::mutex> lock(mutex);
    return closed || !values.empty();
  }
  // Returns false if there is nothing to wait for.
  bool wait(PromiseBase& task) {
    ESC_CHECK(receiver == nullptr, "two tasks receive from one Inbox at a time");
    const Remote to = task.reactor().remote();
    Remote::Prepared wake = Remote::prepare(
        [self = this->shared_from_this(), number = wait_number + 1] { self->arrive(number); });
    const std::lock_guard<std::mutex> lock(mutex);
    receiving_thread = FramePool::this_thread();
    if (closed || !values.empty()) return false;
    remote = to;
    wake_up = std::move(wake);
    receiver = &task;
    ++wait_number;
    return true;
  }
  void stop_waiting() {
    receiver = nullptr;
    Remote::Prepared unused;
    const std::lock_guard<std::mutex> lock(mutex);
    unused = std::move(wake_up);
  }
  // `number` tells the wait that this wakes from later ones.
  void arrive(std::size_t number) {
    if (receiver == nullptr || number != wait_number) return;
    receiver->reactor().ready(*receiver);
  }
  std::optional<T> take() {
    std::optional<T> taken;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (values.empty()) return taken;
      taken.emplace(std::move(values.front()));
      values.pop_front();
    }
    room.notify_one();
    return taken;
  }
  void close() {
    std::unique_lock<std::mutex> lock(mutex);
    closed = true;
    room.notify_all();
    wake_receiver(lock);
  }
  void drop() {
    std::deque<T> dropped;
    const std::lock_guard<std::mutex> lock(mutex);
    dropped.swap(values);
  }
  std::size_t size() {
    const std::lock_guard<std::mutex> lock(mutex);
    return values.size();
  }

  const std::size_t capacity;
  std::mutex mutex;
  std::condition_variable room;
  std::deque<T> values;
  std::size_t senders = 0;
  bool closed = false;
  const void* receiving_thread = nullptr;
  std::optional<Remote> remote;  // the loop of the task that waits
  Remote::Prepared wake_up;      // empty unless it waits and was not woken yet

  // The loop's alone.
  PromiseBase* receiver = nullptr;
  std::size_t wait_number = 0;
};

}  // namespace detail

// `T` must move without throwing. The inbox must outlive the operations on it, not its senders.
template <class T>
class Inbox {
  static_assert(std::is_nothrow_move_constructible_v<T>, "an inbox's values must move without throwing");
  using State = detail::InboxState<T>;

 public:
  // One of the ends where values go in. Copies send to the same inbox. All functions may be called from any
  // thread; on the thread of the inbox's loop only `try_send`.
  class Sender {
   public:
    Sender(const Sender& other) : state_(other.state_) { state_->add_sender(); }
    Sender(Sender&& other) noexcept = default;
    Sender& operator=(Sender other) noexcept {
      std::swap(state_, other.state_);
      return *this;
    }
    ~Sender() {
      if (state_) state_->remove_sender();
    }

    // Sends without waiting. `value` is moved from only if it was sent.
    [[nodiscard]] Sent try_send(T&& value) const {
      std::unique_lock<std::mutex> lock(state_->mutex);
      return state_->put_if_room(value, lock);
    }
    [[nodiscard]] Sent try_send(const T& value) const { return try_send(T(value)); }

    // Blocks this thread until there is room. Returns false, with `value` as it was, if the inbox is closed
    // or gone, before or meanwhile. Must not be called on the thread that receives (checked if it would
    // block): that thread would wait for itself.
    [[nodiscard]] bool send(T&& value) const {
      std::unique_lock<std::mutex> lock(state_->mutex);
      state_->wait_for_room(
          lock, [this](auto& its_lock, auto can_go_on) { state_->room.wait(its_lock, can_go_on); });
      return state_->put_if_room(value, lock) == Sent::sent;
    }
    [[nodiscard]] bool send(const T& value) const { return send(T(value)); }

    // The same for `limit` at most, by the monotonic clock; Sent::full after that.
    [[nodiscard]] Sent send_within(Duration limit, T&& value) const {
      std::unique_lock<std::mutex> lock(state_->mutex);
      state_->wait_for_room(lock, [this, limit](auto& its_lock, auto can_go_on) {
        state_->room.wait_for(its_lock, std::chrono::nanoseconds(limit.count()), can_go_on);
      });
      return state_->put_if_room(value, lock);
    }
    [[nodiscard]] Sent send_within(Duration limit, const T& value) const {
      return send_within(limit, T(value));
    }

   private:
    friend class Inbox;
    explicit Sender(std::shared_ptr<State> state) : state_(std::move(state)) { state_->add_sender(); }
    std::shared_ptr<State> state_;
  };

  // The operation that `receive` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Receive
      : public detail::OperationBase<Receive, std::optional<T>> {
   public:
    explicit Receive(Inbox& inbox) : inbox_(inbox) {}
    Receive(Receive&& other) noexcept : inbox_(other.inbox_) {}
    ~Receive() {
      if (waits_) inbox_.state_->stop_waiting();
    }
    bool await_ready() { return inbox_.take_turn() && inbox_.state_->has_value_or_ended(); }
    bool suspend(detail::PromiseBase& task) {
      waits_ = inbox_.state_->wait(task);
      inbox_.turns_ = 0;
      if (!waits_) task.reactor().ready_later(task);
      return true;
    }
    std::optional<T> await_resume() {
      if (std::exchange(waits_, false)) inbox_.state_->stop_waiting();
      return inbox_.state_->take();
    }

   private:
    Inbox& inbox_;
    bool waits_ = false;
  };

  // Holds at most `capacity` values, 1 or more (checked), that were sent and not received yet.
  explicit Inbox(std::size_t capacity) : state_(std::make_shared<State>(capacity)) {
    ESC_CHECK(capacity > 0, "the capacity of an Inbox must be greater than zero");
  }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  // Closes it; values that were not received are destroyed here.
  ~Inbox() {
    state_->close();
    state_->drop();
  }

  // Returns an end for other threads. Once there has been a sender and the last one is gone, the inbox is
  // closed.
  Sender sender() { return Sender(state_); }

  // Waits for the next value. Yields nullopt when the inbox is closed and everything sent has been received.
  // An operation (task.h) that cannot fail; one at a time (checked). Cancelling it takes no value. A task
  // that always finds a value lets others run after every 32nd.
  Receive receive() { return Receive(*this); }
  // Receives without waiting; nullopt if there is nothing.
  std::optional<T> try_receive() { return state_->take(); }

  // Ends sending: threads that wait for room are told so. What was sent before is still received. Called on
  // the loop's thread. Closing again does nothing.
  void close() { state_->close(); }

  // Returns how many values were sent and not received yet.
  std::size_t size() const { return state_->size(); }

 private:
  bool take_turn() { return ++turns_ <= 32; }

  std::shared_ptr<State> state_;
  int turns_ = 0;  // receives in a row that did not wait
};

}  // namespace escapement
