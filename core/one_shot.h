// OneShot<T>: one value, or one Error, handed from one task to another.
//
//     Task<int> ask(Channel<Question>& questions) {
//       OneShot<int> reply;
//       co_await questions.send(Question("how many?", reply.sender()));
//       co_return co_await reply.receive();
//     }
//     ... and the task that receives the question:  question.reply.send(42);
//
// The OneShot itself is the receiving end and holds the outcome; `sender()` makes the other end, which may be
// moved around. Either may be destroyed first. Nothing is allocated. `OneShot<>` carries no value, only that
// something has happened, or failed.

#pragma once

#include <optional>
#include <utility>

#include <escapement/core/detail/fallible_operation.h>
#include <escapement/core/list.h>
#include <escapement/core/task.h>

namespace escapement {

template <class T = void>
class OneShot {
 public:
  class Receive;

  // The sending end. Destroying it without having sent fails the receiver with Errc::reset: the other side
  // may have acted before it ended.
  class [[nodiscard(
      "a sender that has no name is destroyed at once, and its receiver fails: name it")]] Sender {
   public:
    // The operation that `unwanted` returns. Movable until it is awaited.
    class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Unwanted
        : public ListNode,
          public detail::OperationBase<Unwanted> {
     public:
      static constexpr const char* waits_for = "one-shot";
      explicit Unwanted(Sender& sender) : sender_(sender) {}
      Unwanted(Unwanted&& other) noexcept : sender_(other.sender_) {}
      bool await_ready() const noexcept { return !sender_.wanted(); }
      void suspend(detail::PromiseBase& task) {
        task_ = &task;
        sender_.receiver_->unwanted_.push_back(*this);
      }
      void await_resume() const noexcept {}

     private:
      friend class OneShot;
      Sender& sender_;
      detail::PromiseBase* task_ = nullptr;
    };

    Sender(Sender&& other) noexcept : receiver_(std::exchange(other.receiver_, nullptr)) {
      if (receiver_ != nullptr) receiver_->sender_ = this;
    }
    Sender& operator=(Sender&& other) noexcept {
      if (this == &other) return *this;
      drop();
      receiver_ = std::exchange(other.receiver_, nullptr);
      if (receiver_ != nullptr) receiver_->sender_ = this;
      return *this;
    }
    ~Sender() { drop(); }

    // Returns whether a receiver still exists and nothing was sent to it.
    bool wanted() const { return receiver_ != nullptr; }
    // Sends a value or an Error: `send(42)`, `send(Error(Errc::not_found))`, and `send({})` of a OneShot<>.
    // Returns false, with `outcome` as it was, if it is not wanted.
    bool send(Result<T>&& outcome) {
      if (receiver_ == nullptr) return false;
      std::exchange(receiver_, nullptr)->deliver(std::move(outcome));
      return true;
    }
    // Waits until nothing is wanted from this sender any more, because the receiver was destroyed: to give up
    // work for it, `co_await race(work(), sender.unwanted())`. An operation (task.h) that cannot fail. The
    // sender must outlive it and stay where it is.
    Unwanted unwanted() { return Unwanted(*this); }

   private:
    friend class OneShot;
    explicit Sender(OneShot& receiver) : receiver_(&receiver) { receiver.sender_ = this; }
    void drop() {
      if (receiver_ == nullptr) return;
      Error why = Error::out_of_memory();
      auto say_it = [&why] {
        why = Error(Errc::reset, "receive: the sender of the OneShot was destroyed without having sent");
      };
      (void)detail::catching(say_it);
      send(std::move(why));
    }

    OneShot* receiver_;
  };

  // The operation that `receive` returns. Movable until it is awaited.
  class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Receive
      : public detail::FallibleOperation<Receive, T> {
   public:
    static constexpr const char* waits_for = "one-shot";
    explicit Receive(OneShot& from) : from_(from) {}
    Receive(Receive&& other) noexcept
        : detail::FallibleOperation<Receive, T>(std::move(other)), from_(other.from_) {}
    ~Receive() {
      if (from_.receive_ == this) from_.receive_ = nullptr;
    }
    bool await_ready() { return from_.outcome_ && *from_.outcome_; }
    bool wait(detail::PromiseBase&) {
      ESC_CHECK(from_.receive_ == nullptr, "two tasks wait for one OneShot");
      if (from_.outcome_) return this->fail_at_once(from_.outcome_->error());
      from_.receive_ = this;
      return true;
    }
    T await_resume() {
      from_.receive_ = nullptr;
      return from_.take();
    }

   private:
    friend class OneShot;
    void settle() {
      if (*from_.outcome_) {
        this->wake();
      } else {
        this->wake_to_fail([this] { return from_.outcome_->error(); });
      }
    }
    OneShot& from_;
  };

  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;
  // Nothing is wanted any more. No task may be waiting in `receive` (checked).
  ~OneShot() {
    ESC_CHECK(receive_ == nullptr, "a OneShot was destroyed before the task that waits for it");
    if (sender_ != nullptr) sender_->receiver_ = nullptr;
    wake_unwanted();
  }

  // Makes the sending end. Called once (checked).
  Sender sender() {
    ESC_CHECK(!made_sender_, "sender() of a OneShot was called twice");
    made_sender_ = true;
    return Sender(*this);
  }

  // Waits for the outcome: yields the value, or fails with the Error that was sent, or with Errc::reset if
  // the sender was destroyed. An operation (task.h). A cancelled wait loses nothing: receive again. One task
  // may wait (checked), and a value can be received once (checked); an Error is reported each time.
  Receive receive() { return Receive(*this); }
  // Returns the outcome if it has come, without waiting. A value can be received once (checked).
  std::optional<Result<T>> try_receive() {
    if (!outcome_) return std::nullopt;
    if (!*outcome_) return *outcome_;
    mark_received();
    return std::move(*outcome_);
  }
  // Returns whether the outcome has come.
  bool ready() const { return outcome_.has_value(); }

 private:
  void deliver(Result<T>&& outcome) {
    sender_ = nullptr;
    outcome_.emplace(std::move(outcome));
    if (receive_ != nullptr) receive_->settle();
    wake_unwanted();
  }
  T take() {
    mark_received();
    return *std::move(*outcome_);
  }
  void mark_received() {
    ESC_CHECK(!std::exchange(received_, true), "the value of a OneShot was received twice");
  }
  void wake_unwanted() {
    while (typename Sender::Unwanted* first = unwanted_.pop_front()) {
      Reactor& reactor = first->task_->reactor();
      reactor.check_thread();
      reactor.ready(*first->task_);
    }
  }

  Sender* sender_ = nullptr;
  Receive* receive_ = nullptr;  // waits
  List<typename Sender::Unwanted> unwanted_;
  std::optional<Result<T>> outcome_;
  bool made_sender_ = false;
  bool received_ = false;
};

}  // namespace escapement
