// For AddressSanitizer and wasm: no pool is ever the current one, so every frame goes back to the general
// allocator at once.

#include <escapement/core/detail/recycle.h>

namespace escapement::detail {

constinit thread_local RecyclePool* RecyclePool::current = nullptr;

RecyclePool::Use::Use(RecyclePool&) noexcept : before_(nullptr) {}
RecyclePool::Use::~Use() = default;
RecyclePool::~RecyclePool() = default;

}  // namespace escapement::detail
