// Remote: lets other threads reach a reactor that may be gone by then.
//
//     Remote remote = loop.remote();  // on the loop's thread; may be copied to any other
//     std::thread worker([remote, &done] {
//       if (!remote.post([&done] { done.set(); })) return;  // the loop is gone
//     });

#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include <escapement/core/reactor.h>

namespace escapement {

namespace detail {
struct RemoteEnd {
  std::mutex mutex;
  Reactor* reactor;  // null: gone
};
}  // namespace detail

class Remote {
 public:
  // Runs `function()` on the reactor's thread, in one of its next turns. May be called from any thread, at
  // any time. Returns false if the reactor is gone; `function` is then destroyed without being called. (It is
  // also destroyed, after true, if the reactor ends before its next turn.) An exception that it throws is an
  // unhandled failure of the reactor.
  template <class F>
  [[nodiscard]] bool post(F function) const {
    return push(std::make_unique<Reactor::PostedFunction<F>>(std::move(function)));
  }

  // A function that is made now and posted later, from any thread. Posting it needs no memory, so a thread
  // that has something to report cannot fail to.
  class Prepared {
   public:
    Prepared() = default;
    explicit operator bool() const { return posted_ != nullptr; }

   private:
    friend class Remote;
    explicit Prepared(std::unique_ptr<Reactor::Posted> posted) : posted_(std::move(posted)) {}
    std::unique_ptr<Reactor::Posted> posted_;
  };
  // Makes it. The memory for posting is taken here.
  template <class F>
  static Prepared prepare(F function) {
    return Prepared(std::make_unique<Reactor::PostedFunction<F>>(std::move(function)));
  }
  // As `post` of its function. `prepared` must not be empty (checked).
  bool post(Prepared prepared) const {
    ESC_CHECK(prepared);
    return push(std::move(prepared.posted_));
  }

 private:
  friend class Reactor;
  explicit Remote(std::shared_ptr<detail::RemoteEnd> end) : end_(std::move(end)) {}
  bool push(std::unique_ptr<Reactor::Posted> posted) const;

  std::shared_ptr<detail::RemoteEnd> end_;
};

}  // namespace escapement
