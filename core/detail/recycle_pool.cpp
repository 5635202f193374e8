#include <escapement/core/detail/recycle.h>

namespace escapement::detail {

constinit thread_local RecyclePool* RecyclePool::current = nullptr;

RecyclePool::Use::Use(RecyclePool& pool) noexcept : before_(std::exchange(current, &pool)) {}
RecyclePool::Use::~Use() { current = before_; }

RecyclePool::~RecyclePool() {
  for (Free* first : free_) {
    while (first != nullptr) ::operator delete(std::exchange(first, first->next));
  }
}

}  // namespace escapement::detail
