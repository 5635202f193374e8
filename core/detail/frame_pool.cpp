#include <escapement/core/detail/frame_pool.h>

namespace escapement::detail {

constinit thread_local FramePool* FramePool::current = nullptr;

FramePool::Use::Use(FramePool& pool) noexcept : before_(std::exchange(current, &pool)) {}
FramePool::Use::~Use() { current = before_; }

FramePool::~FramePool() {
  for (Free* first : free_) {
    while (first != nullptr) ::operator delete(std::exchange(first, first->next));
  }
}

}  // namespace escapement::detail
