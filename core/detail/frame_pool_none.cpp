// The variant for AddressSanitizer and wasm: there are no lists, so every frame goes back to the general
// allocator at once.

#include <escapement/core/detail/frame_pool.h>

namespace escapement::detail {

constinit thread_local FramePool::Lists* FramePool::current = nullptr;

FramePool::Use::Use(FramePool&) noexcept : before_(nullptr) {}
FramePool::Use::~Use() = default;
FramePool::FramePool() : lists_(nullptr) {}
FramePool::~FramePool() = default;

}  // namespace escapement::detail
