// Defer: something to do at the end of a scope, whichever way that is left.

#pragma once

#include <utility>

namespace escapement {

// Calls `f` when it is destroyed: at the end of the block, also when the block is left by return, by an
// exception or because a coroutine is destroyed where it waits. `f` must not throw.
//
//     const Defer release([this] { in_use_ = false; });
template <class F>
class [[nodiscard]] Defer {
 public:
  explicit Defer(F f) : f_(std::move(f)) {}
  Defer(const Defer&) = delete;
  ~Defer() { f_(); }

 private:
  F f_;
};

}  // namespace escapement
