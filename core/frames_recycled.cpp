#include <escapement/core/frames.h>

#include <new>
#include <utility>

namespace escapement::detail {

namespace {

constinit thread_local FramePool* current = nullptr;

}  // namespace

FramePool::Use::Use(FramePool& pool) noexcept : before_(std::exchange(current, &pool)) {}
FramePool::Use::~Use() { current = before_; }

FramePool::~FramePool() {
  for (Free* first : free_) {
    while (first != nullptr) ::operator delete(std::exchange(first, first->next));
  }
}

void* allocate_frame(std::size_t size) {
  const std::size_t list = (size - 1) / FramePool::grain;
  if (list >= FramePool::lists) return ::operator new(size);
  if (current != nullptr && current->free_[list] != nullptr) {
    current->bytes_kept_ -= (list + 1) * FramePool::grain;
    return std::exchange(current->free_[list], current->free_[list]->next);
  }
  return ::operator new((list + 1) * FramePool::grain);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t list = (size - 1) / FramePool::grain;
  if (list >= FramePool::lists || current == nullptr || current->bytes_kept_ >= FramePool::bytes_max) {
    ::operator delete(frame);
    return;
  }
  current->bytes_kept_ += (list + 1) * FramePool::grain;
  current->free_[list] = ::new (frame) FramePool::Free{current->free_[list]};
}

}  // namespace escapement::detail
