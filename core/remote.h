// Remote: how other threads reach a reactor that may be gone by then.
//
//     Remote remote = loop.remote();                 // on the loop's thread; copies go wherever they are
//     wanted std::thread worker([remote, &done] {
//       if (!remote.post([&done] { done.set(); })) return;      // the loop is gone
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
  // Runs `function()` on the reactor's thread, in one of its next turns. Any thread, at any time. False: the
  // reactor is gone, and `function` destroyed without a call. (Also destroyed, after true, if the reactor
  // ends before its next turn.) What it throws is an unhandled failure of the reactor.
  template <class F>
  [[nodiscard]] bool post(F function) const {
    return push(std::make_unique<Reactor::PostedFunction<F>>(std::move(function)));
  }

 private:
  friend class Reactor;
  explicit Remote(std::shared_ptr<detail::RemoteEnd> end) : end_(std::move(end)) {}
  bool push(std::unique_ptr<Reactor::Posted> posted) const;

  std::shared_ptr<detail::RemoteEnd> end_;
};

}  // namespace escapement
