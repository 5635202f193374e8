// Generator<T>: a coroutine that yields many values, and may wait between them.
//
//     Generator<std::string> greetings(int count) {
//       for (int i = 0; i < count; ++i) {
//         co_await sleep(1s);
//         co_yield "hello " + std::to_string(i);
//       }
//     }
//     Task<> print_all() {
//       Generator<std::string> greeting = greetings(3);
//       while (std::optional<std::string> text = co_await greeting.next()) std::puts(text->c_str());
//     }
//
// - The body runs only when a value is asked for: from its beginning or the last `co_yield` to the next one.
//   It awaits whatever a Task may await, on the same reactor as its consumer. Like a task it runs on the
//   consumer's stack up to its first wait; from then on only the reactor's loop resumes it. A generator that
//   never waits costs no turn of the reactor, and its consumer no stack.
// - `co_yield value` moves or copies the value; it may be move-only. To yield references, yield pointers.
// - It fails as a task does: by `co_await Error(...)`, by what it awaits, by a C++ exception. next() then
//   fails, once the generator's frame is gone; after that it is at its end.
// - Destroying a generator cancels it, as a task. A next() that is waiting then fails with Errc::cancelled.
//   A generator must not be destroyed from inside itself (checked).
// - The advice of task.h on coroutines holds here too: parameters by value, one co_await (or co_yield) a
//   statement. A lambda's captures die with the lambda.

#pragma once

#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include <escapement/core/sequence.h>
#include <escapement/core/task.h>

namespace escapement {

template <class T>
class Generator;

namespace detail {

// A next() that waits, as its generator sees it.
class GeneratorWaiter {
 public:
  // Makes the consumer ready: the generator has yielded a value.
  void wake() { parent_->reactor().resume_next(*parent_); }
  // Called when the generator has ended, or will not go on. Its frame is gone by now.
  void end(std::optional<Error> failure) {
    ended_ = true;
    if (failure && propagate_) return parent_->fail(*std::move(failure));
    failure_ = std::move(failure);
    wake();
  }
  const Runnable* task() const { return parent_; }

 protected:
  explicit GeneratorWaiter(bool propagate) : propagate_(propagate) {}
  ~GeneratorWaiter() = default;

  PromiseBase* parent_ = nullptr;
  std::optional<Error> failure_;
  const bool propagate_;  // a failure fails the awaiting task
  bool ended_ = false;
};

// The part of a generator's frame that does not depend on the type of its values.
class GeneratorBase : public PromiseBase {
 public:
  // Runs up to the next co_yield, the end or a failure, or until it waits. Returns false if it waits.
  bool advance(Reactor& by, std::coroutine_handle<> frame) {
    if (!started_) {
      begin(by);
      set_continuation(*this, false);  // the end makes this ready, and run() passes it on
      started_ = true;
    }
    ESC_CHECK(&reactor() == &by, "a Generator was used by tasks of two reactors");
    if (!finished() && !busy_) resume_body(frame);
    if (finished()) unlink();
    return finished() || !busy_;
  }

  // The next() to notify; null if the consumer has given it up.
  void set_waiter(GeneratorWaiter* waiter) { waiter_ = waiter; }
  GeneratorWaiter* waiter() const { return waiter_; }
  // Looks to the end, at once: the body may destroy the task that waits for it.
  const Runnable* awaited_by(std::shared_ptr<const LocalValues>& found) const final {
    const Runnable* at = waiter_ == nullptr ? nullptr : waiter_->task();
    while (at != nullptr && found == nullptr) at = at->awaited_by(found);
    return nullptr;
  }
  void return_void() {}

 protected:
  GeneratorBase() = default;
  ~GeneratorBase() = default;

  void resume_body(std::coroutine_handle<> frame) {
    busy_ = true;
    resume(frame);
  }
  void yielded() {
    busy_ = false;
    if (waiter_ != nullptr) waiter_->wake();
  }
  // Keeps a failure for the following next(): none waited for it.
  void hold_failure() {
    if (failed()) held_.emplace(reactor());
  }
  // Passes the end of a generator that is about to be destroyed to its waiting next(), or reports the failure
  // that no next() has taken.
  std::optional<Error> last_failure() {
    if (!failed()) return std::nullopt;
    if (waiter_ != nullptr) return take_error();
    if (held_) {
      held_->lose(error_);
    } else {
      reactor().report_unhandled(error_);
    }
    return std::nullopt;
  }

 private:
  GeneratorWaiter* waiter_ = nullptr;
  std::optional<HeldFailure> held_;  // set while a failure waits to be taken
  bool started_ = false;
  bool busy_ = false;  // between two yields: it runs, or waits for something
};

template <class T>
class GeneratorPromise final : public GeneratorBase {
 public:
  static_assert(std::is_object_v<T>, "a Generator yields values; to yield references, yield pointers");

  struct YieldAwaiter {
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<GeneratorPromise> body) noexcept { body.promise().yielded(); }
    void await_resume() noexcept {}
  };

  Generator<T> get_return_object() noexcept;
  FinalAwaiter final_suspend() noexcept { return {}; }
  template <class U>
    requires std::convertible_to<U&&, T>
  YieldAwaiter yield_value(U&& value) {
    value_.emplace(std::forward<U>(value));
    return {};
  }

  std::coroutine_handle<GeneratorPromise> frame() {
    return std::coroutine_handle<GeneratorPromise>::from_promise(*this);
  }
  void set_owner(Generator<T>& owner) { owner_ = &owner; }
  bool has_value() const { return value_.has_value(); }
  std::optional<T> take_value() { return std::exchange(value_, std::nullopt); }

  // Destroys the frame of a generator that has ended. Returns its failure, if it failed.
  std::optional<Error> bury() {
    std::optional<Error> failure;
    if (failed()) failure = take_error();
    owner_->frame_ = nullptr;
    frame().destroy();
    return failure;
  }
  // Destroys the frame, whatever it waits for.
  void cancel() {
    check_destroyable();
    std::optional<Error> failure = last_failure();
    GeneratorWaiter* const waiting = waiter();
    frame().destroy();
    if (waiting == nullptr) return;
    waiting->end(failure ? std::move(failure) : std::optional<Error>(Error::cancelled()));
  }

 private:
  void run() override {
    if (!finished()) return resume_body(frame());
    if (waiter() == nullptr) return hold_failure();
    GeneratorWaiter* const waiting = waiter();
    waiting->end(bury());
  }
  const void* code() const override { return code_of(const_cast<GeneratorPromise*>(this)->frame()); }

  Generator<T>* owner_ = nullptr;
  std::optional<T> value_;
};

// Awaits the next value. With `propagate`, a failure of the generator fails the awaiting task.
template <class T>
class NextOperation : private GeneratorWaiter, public Awaiter<NextOperation<T>> {
 public:
  static constexpr const char* waits_for = "generator";
  NextOperation(const NextOperation&) = delete;

  bool await_ready() const { return !generator_.frame_; }
  bool suspend(PromiseBase& parent) {
    parent_ = &parent;
    from_ = &generator_.frame_.promise();
    ESC_CHECK(from_->waiter() == nullptr, "two tasks wait for the next value of one Generator");
    if (from_->has_value()) return false;
    if (!from_->advance(parent.reactor(), from_->frame())) {
      from_->set_waiter(this);
      return true;
    }
    if (!from_->finished()) return false;
    std::optional<Error> failure = std::exchange(from_, nullptr)->bury();
    if (failure && propagate_) {
      parent.fail(*std::move(failure));
      return true;
    }
    failure_ = std::move(failure);
    return false;
  }

 protected:
  NextOperation(Generator<T>& generator, bool propagate)
      : GeneratorWaiter(propagate), generator_(generator) {}
  // Leaves the value that it was woken for to the following next().
  ~NextOperation() {
    if (from_ != nullptr && !ended_) from_->set_waiter(nullptr);
  }

  std::optional<T> take() {
    GeneratorPromise<T>* const from = std::exchange(from_, nullptr);
    if (from == nullptr || ended_) return std::nullopt;
    from->set_waiter(nullptr);
    return from->take_value();
  }
  Result<std::optional<T>> outcome() {
    if (failure_) return *std::move(failure_);
    return take();
  }

  Generator<T>& generator_;

 private:
  GeneratorPromise<T>* from_ = nullptr;
};

// The awaiter that Next::result returns.
template <class T>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] NextResult final
    : public NextOperation<T> {
 public:
  explicit NextResult(Generator<T>& generator) : NextOperation<T>(generator, false) {}
  Result<std::optional<T>> await_resume() { return this->outcome(); }
};

}  // namespace detail

// The operation that `Generator::next` returns, used like a Task<std::optional<T>>. Awaited directly it needs
// no coroutine of its own. Cannot be moved.
template <class T>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] Next final
    : public detail::NextOperation<T> {
 public:
  using Value = std::optional<T>;

  // As Generator::next.
  explicit Next(Generator<T>& generator) : detail::NextOperation<T>(generator, true) {}

  std::optional<T> await_resume() { return this->take(); }
  // The same, but yields a Result: a failure of the generator does not fail the awaiting task.
  detail::NextResult<T> result() && { return detail::NextResult<T>(this->generator_); }
  ESC_CORO_CONVERSION operator Task<std::optional<T>>() && { return run(this->generator_); }

 private:
  static Task<std::optional<T>> run(Generator<T>& generator) { co_return co_await generator.next(); }
};

template <class T>
class [[nodiscard("a generator does nothing until next() is awaited: name it")]] ESC_CORO_TYPE Generator {
 public:
  using promise_type = detail::GeneratorPromise<T>;

  // Moving is allowed at any time, but not while a next() exists that has not been awaited yet.
  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) { own(); }
  Generator& operator=(Generator&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, nullptr);
      own();
    }
    return *this;
  }
  // Cancels the body if it has not ended. A failure that no next() has taken is reported
  // (Reactor::on_unhandled_failure).
  ~Generator() { reset(); }

  // Runs the body up to its next co_yield, and yields the value; nullopt once it has ended, then always.
  // Fails as the body fails, once; at its end from then on. One next() at a time (checked). An operation
  // (task.h).
  //
  // Cancelling it (`with_timeout(1s, values.next())`) does not cancel the body: that goes on to its co_yield
  // by itself, and waits there with the value for the following next(). Nothing is lost. A failure waits,
  // too.
  Next<T> next() & { return Next<T>(*this); }

  // Cancels the body now. The generator is at its end.
  void reset() {
    if (auto frame = std::exchange(frame_, nullptr)) frame.promise().cancel();
  }
  // Returns whether the body is known to have ended. Also true once it was moved from.
  bool ended() const { return !frame_; }

 private:
  friend promise_type;
  friend detail::NextOperation<T>;

  explicit Generator(std::coroutine_handle<promise_type> frame) : frame_(frame) { own(); }
  void own() {
    if (frame_) frame_.promise().set_owner(*this);
  }

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Generator<T> detail::GeneratorPromise<T>::get_return_object() noexcept {
  return Generator<T>(frame());
}

}  // namespace escapement
