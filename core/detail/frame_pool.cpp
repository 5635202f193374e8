#include <escapement/core/detail/frame_pool.h>

namespace escapement::detail {

constinit thread_local FramePool::Lists* FramePool::current = nullptr;

FramePool::Use::Use(FramePool& pool) noexcept : before_(std::exchange(current, pool.lists_)) {}
FramePool::Use::~Use() { current = static_cast<Lists*>(before_); }

FramePool::FramePool() : lists_(new Lists) {}

FramePool::~FramePool() {
  for (Free* first : lists_->free) {
    while (first != nullptr) ::operator delete(std::exchange(first, first->next));
  }
  delete lists_;
}

}  // namespace escapement::detail
