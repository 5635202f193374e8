// FramePool: recycles the frames of tasks, and other small blocks that come and go with every request.
//
// A server makes and destroys the same few coroutine frames for every request, so a reactor keeps the
// destroyed ones for the next of their size: one list per size, and two pointers moved instead of a call to
// the general allocator.
//
// A task is made before anybody knows which reactor will run it, and a frame's operator delete receives only
// its size. The pool is therefore found through the thread: a reactor that takes a turn makes its pool the
// thread's current one meanwhile. That pointer is the library's only thread-local, and only this file and
// frame_pool*.cpp know it. Outside a turn blocks come from the general allocator and go back there; both may
// free what the other made.
//
// With AddressSanitizer frame_pool_none.cpp is built instead of frame_pool.cpp: no pool is ever the current
// one, nothing is kept, and so a use of a destroyed frame is found. The same on wasm, where a reactor lives
// for one request and bytes of code count.

#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace escapement::detail {

// The free blocks of one reactor, at most `bytes_max` bytes; any more go back to the general allocator.
class FramePool {
 public:
  static constexpr std::size_t bytes_max = 256 * 1024;

  FramePool();
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool();

  // Makes `pool` the current one of this thread, as long as this lives. May be nested.
  class Use {
   public:
    explicit Use(FramePool& pool) noexcept;
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();

   private:
    [[maybe_unused]] void* before_;  // unused by frame_pool_none.cpp
  };

  std::size_t bytes_kept() const { return lists_ == nullptr ? 0 : lists_->bytes_kept; }

  // Returns an address that is different in each thread.
  static const void* this_thread() { return &current; }

 private:
  friend void* allocate_block(std::size_t size);
  friend void free_block(void* frame, std::size_t size) noexcept;

  // Blocks are rounded up to what malloc's own hold (16 n + 8 bytes natively, 8 n on wasm), so that a million
  // sleeping tasks do not pay for it. There is a list for each size; blocks beyond the last are not kept.
  static constexpr std::size_t grain = 2 * sizeof(void*);
  static constexpr std::size_t rest = sizeof(void*) == 8 ? 8 : 0;
  static constexpr std::size_t list_of(std::size_t size) { return (size + grain - 1 - rest) / grain; }
  static constexpr std::size_t rounded(std::size_t size) { return list_of(size) * grain + rest; }

  struct Free {
    Free* next;
  };
  struct Lists {
    std::array<Free*, 2048 / grain + 1> free{};
    std::size_t bytes_kept = 0;
  };

  // Initial-exec: position-independent code loads it, too, where the default model is a call. A library that
  // is loaded later may use it for variables as small as this.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Lists* current;

  Lists* lists_;  // apart, so that a reactor is small where nothing is kept
};

// Inline because the size is a constant wherever it is called.
inline void* allocate_block(std::size_t size) {
  FramePool::Lists* lists = FramePool::current;
  const std::size_t list = FramePool::list_of(size);
  if (lists == nullptr || list >= lists->free.size() || lists->free[list] == nullptr) {
    return ::operator new(FramePool::rounded(size));
  }
  lists->bytes_kept -= FramePool::rounded(size);
  return std::exchange(lists->free[list], lists->free[list]->next);
}

inline void free_block(void* frame, std::size_t size) noexcept {
  FramePool::Lists* lists = FramePool::current;
  const std::size_t list = FramePool::list_of(size);
  if (lists == nullptr || list >= lists->free.size() || lists->bytes_kept >= FramePool::bytes_max) {
    ::operator delete(frame);
    return;
  }
  lists->bytes_kept += FramePool::rounded(size);
  lists->free[list] = ::new (frame) FramePool::Free{lists->free[list]};
}

}  // namespace escapement::detail
