// The variant for AddressSanitizer and wasm: no pool is ever the current one, so every frame goes back to the
// general allocator at once.

#include <escapement/core/detail/frame_pool.h>

namespace escapement::detail {

constinit thread_local FramePool* FramePool::current = nullptr;

FramePool::Use::Use(FramePool&) noexcept : before_(nullptr) {}
FramePool::Use::~Use() = default;
FramePool::~FramePool() = default;

}  // namespace escapement::detail
