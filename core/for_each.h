// for_each: calls a function that returns a task for each item of a range, a few at a time.
//
//     co_await for_each(urls, 10, [&](const Url& url) -> Task<> {
//       Page page = co_await get(url);
//       store(page);
//     });

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include <escapement/core/sequence.h>
#include <escapement/core/task.h>

namespace escapement {

namespace detail {

// One call of the function, running or finished.
class ForEachCallBase : public ListNode {
 public:
  static void* operator new(std::size_t size) { return allocate_block(size); }
  static void operator delete(void* call, std::size_t size) noexcept { free_block(call, size); }
  virtual ~ForEachCallBase() = default;

  // Destroys the frame of the finished call, and returns its failure.
  virtual std::optional<Error> settle() = 0;
};

// The calls of one for_each, whose task they make ready.
class ForEachCalls {
 public:
  explicit ForEachCalls(PromiseBase& task) : task_(task) {}
  ForEachCalls(const ForEachCalls&) = delete;
  ~ForEachCalls() { cancel(); }

  // Destroys the calls that have finished, up to the first that failed. Returns its failure.
  std::optional<Error> settle() {
    std::optional<Error> failure;
    while (!failure && !finished_.empty()) {
      const std::unique_ptr<ForEachCallBase> call(finished_.pop_front());
      failure = call->settle();
    }
    return failure;
  }
  // Destroys all calls, the youngest first.
  void cancel() {
    while (!running_.empty()) delete &running_.back();
    while (!finished_.empty()) delete &finished_.back();
    size_ = 0;
  }

  // Returns the number of calls that have not finished.
  std::size_t running() const { return size_; }
  Reactor& reactor() const { return task_.reactor(); }

  void started(ForEachCallBase& call) {
    running_.push_back(call);
    ++size_;
  }
  void finished_at_once(ForEachCallBase& call) {
    call.unlink();
    finished_.push_back(call);
    --size_;
  }
  void finished(ForEachCallBase& call) {
    finished_at_once(call);
    reactor().resume_next(task_);
  }
  const void* code() const { return task()->code(); }
  const Runnable* task() const { return &task_; }

 private:
  PromiseBase& task_;
  List<ForEachCallBase> running_;
  List<ForEachCallBase> finished_;
  std::size_t size_ = 0;
};

// `Item` is a reference to an item that stands in the range, or the item, which is then kept here.
template <class Item, class T>
class ForEachCall final : public ForEachCallBase, public Runnable {
 public:
  template <class F>
  ForEachCall(Item&& item, F& function, ForEachCalls& calls)
      : calls_(calls),
        item_(std::forward<Item>(item)),
        child_(as_task(function(std::forward<Item>(item_)))) {}

  void start() {
    calls_.started(*this);
    child_.start(calls_.reactor(), *this);
    if (child_.finished()) calls_.finished_at_once(*this);
  }

 private:
  void run() override { calls_.finished(*this); }
  const void* code() const override { return calls_.code(); }
  const Runnable* awaited_by(std::shared_ptr<const LocalValues>&) const override { return calls_.task(); }
  std::optional<Error> settle() override {
    if (!child_.failed()) return std::nullopt;
    return child_.take().error();
  }

  ForEachCalls& calls_;
  Item item_;
  ChildTask<T> child_;
};

template <class T>
T value_of_task(const Task<T>&);

template <class F, class Item>
concept ForEachFunction = requires(F& function) { as_task(function(std::declval<Item>())); };

template <class Item, class F>
void start_call(ForEachCalls& calls, Item&& item, F& function) {
  static_assert(ForEachFunction<F, Item>,
                "for_each: the function must take an item, and return a Task or an operation");
  using T = decltype(value_of_task(as_task(function(std::declval<Item>()))));
  auto call = std::make_unique<ForEachCall<Item, T>>(std::forward<Item>(item), function, calls);
  call.release()->start();
}

// Counts the calls that start one after the other without a wait: others have to run in between.
class ForEachPace {
 public:
  // Returns whether the task has to yield before it starts the next.
  bool over() {
    if (--left_ > 0) return false;
    left_ = most;
    return true;
  }

 private:
  static constexpr int most = 32;
  int left_ = most;
};

// Walks a range. It looks for an item only when asked for it: that may take long.
template <class R>
class ForEachWalk {
  using Range = std::remove_reference_t<R>;
  using Reference = std::ranges::range_reference_t<Range>;
  static constexpr bool items_stay =
      std::ranges::forward_range<Range> && std::is_lvalue_reference_v<Reference>;
  static constexpr bool items_ours = items_stay && !std::is_reference_v<R> && !std::ranges::view<Range>;

 public:
  // An item of a container that was moved in may be moved from.
  using Item =
      std::conditional_t<items_ours, std::remove_reference_t<Reference>&&,
                         std::conditional_t<items_stay, Reference, std::ranges::range_value_t<Range>>>;

  explicit ForEachWalk(Range& range) : range_(range) {}
  // Moves to the next item. Returns false at the end.
  bool next() {
    if (at_) {
      ++*at_;
    } else {
      at_.emplace(std::ranges::begin(range_));
    }
    return *at_ != std::ranges::end(range_);
  }
  Item item() { return static_cast<Item>(**at_); }

 private:
  Range& range_;
  std::optional<std::ranges::iterator_t<Range>> at_;
};

inline Error for_each_limit_error() { return Error(Errc::invalid_argument, "for_each: the limit is 0"); }

// `R` is a reference where the caller keeps the range.
template <class R, class F>
Task<> for_each_in(R range, std::size_t limit, F function) {
  if (limit == 0) co_await for_each_limit_error();
  PromiseBase& self = co_await this_task;
  ForEachCalls calls(self);
  ForEachWalk<R> walk(range);
  ForEachPace pace;
  bool more = true;
  std::optional<Error> failure;
  for (;;) {
    failure = calls.settle();
    if (failure) break;
    if (more && calls.running() < limit) {
      more = walk.next();
      if (more) start_call<typename ForEachWalk<R>::Item>(calls, walk.item(), function);
      if (pace.over()) co_await yield();
    } else if (calls.running() > 0) {
      co_await suspend_until_ready;
    } else {
      co_return;
    }
  }
  calls.cancel();
  co_await Error(*std::move(failure));
}

template <class S, class F>
Task<> for_each_of(S sequence, std::size_t limit, F function) {
  if (limit == 0) co_await for_each_limit_error();
  using Item = SequenceValue<S>;
  PromiseBase& self = co_await this_task;
  ForEachCalls calls(self);
  std::optional<ChildTask<std::optional<Item>>> next;
  ForEachPace pace;
  bool more = true;
  std::optional<Error> failure;
  for (;;) {
    failure = calls.settle();
    if (failure) break;
    if (next && next->finished()) {
      Result<std::optional<Item>> item = next->take();
      next.reset();
      if (!item) {
        failure.emplace(std::move(item).error());
        break;
      }
      more = item->has_value();
      if (more) start_call<Item>(calls, **std::move(item), function);
      if (pace.over()) co_await yield();
    } else if (!next && more && calls.running() < limit) {
      next.emplace(as_task(next_of(sequence)));
      next->start(self.reactor(), self);
    } else if (next || calls.running() > 0) {
      co_await suspend_until_ready;
    } else {
      co_return;
    }
  }
  next.reset();
  calls.cancel();
  co_await Error(*std::move(failure));
}

}  // namespace detail

// Runs `function(item)` for each item of `range`, in order, at most `limit` of them at once. `function`
// returns a task or an operation (task.h), whose value is dropped. The next item is looked for when one may
// start, not before. Every 32 calls that start one after the other, others get to run.
//
// The first failure cancels the others, the youngest first, and is the failure of the returned task once
// their frames are gone; no other item is looked for. So it is if the range or the function throws. Fails
// with Errc::invalid_argument if `limit` is 0. Destroying the returned task destroys them all.
//
// An lvalue range is used where it stands and must outlive the returned task; a temporary or a moved one is
// kept, and the function may move its items away. `function` is kept, too. An item may be taken by value or
// by reference: it stays until its call has finished, as long as the range keeps it.
template <std::ranges::input_range R, class F>
ESC_CORO_WRAPPER Task<> for_each(R&& range, std::size_t limit, F function) {
  return detail::for_each_in<R, F>(std::forward<R>(range), limit, std::move(function));
}

// The same for the values of an asynchronous sequence (sequence.h), such as a Generator. It is asked for a
// value when a call may start, not before. Its failure cancels all calls, and is the failure of the returned
// task. A value that arrives in the turn in which a call fails is dropped.
template <class S, class F>
  requires AsyncSequence<std::remove_reference_t<S>>
ESC_CORO_WRAPPER Task<> for_each(S&& sequence, std::size_t limit, F function) {
  return detail::for_each_of<S, F>(std::forward<S>(sequence), limit, std::move(function));
}

}  // namespace escapement
