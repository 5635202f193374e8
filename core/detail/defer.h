// Defer: runs a function at the end of a block, however it is left.

#pragma once

#include <utility>

namespace escapement {

// Calls `f` when it is destroyed: at the end of the block, even if that is left by a return or an exception,
// or because a suspended coroutine is destroyed. `f` must not throw.
//
//     const Defer release([this] { in_use_ = false; });
template <class F>
class [[nodiscard("without a name it runs at once: name it")]] Defer {
 public:
  explicit Defer(F f) : f_(std::move(f)) {}
  Defer(const Defer&) = delete;
  ~Defer() { f_(); }

 private:
  F f_;
};

}  // namespace escapement
