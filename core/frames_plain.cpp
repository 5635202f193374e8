// For AddressSanitizer: every frame comes from the general allocator and goes back there at once.

#include <escapement/core/frames.h>

#include <new>

namespace escapement::detail {

FramePool::Use::Use(FramePool&) noexcept : before_(nullptr) {}
FramePool::Use::~Use() = default;
FramePool::~FramePool() = default;

void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }

}  // namespace escapement::detail
