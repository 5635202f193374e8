// Frames: where the frames of tasks live.
//
// A server makes and destroys the same few coroutine frames for every request, so a reactor keeps those that
// were destroyed for the next ones of their size: a list per size, two pointers moved instead of a visit to the
// general allocator.
//
// A task is made before anybody knows which reactor will run it, and a frame's operator delete is told its size
// and nothing else; so the pool is found through the thread: a reactor that takes a turn is the thread's current
// one for as long. That pointer is the library's only thread-local, private to frames_recycled.cpp. Outside a
// turn frames come from the general allocator and go back there; every frame has a size at which either will do.
//
// With AddressSanitizer frames_plain.cpp is built instead, which keeps nothing, so that a use of a destroyed
// frame is found.

#pragma once

#include <array>
#include <cstddef>

namespace escapement::detail {

void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

// What one reactor keeps. Bounded: what is above `bytes_max` goes back to the general allocator.
class FramePool {
 public:
  static constexpr std::size_t bytes_max = 256 * 1024;

  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool();

  // Makes `pool` the current one of this thread, as long as it lives. They nest.
  class Use {
   public:
    explicit Use(FramePool& pool) noexcept;
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();

   private:
    FramePool* before_;
  };

  std::size_t bytes_kept() const { return bytes_kept_; }

 private:
  friend void* allocate_frame(std::size_t size);
  friend void free_frame(void* frame, std::size_t size) noexcept;

  // Frames are rounded up to multiples of `grain`; list i holds those of i + 1 grains. Larger ones are not kept.
  static constexpr std::size_t grain = 64;
  static constexpr std::size_t lists = 32;
  struct Free {
    Free* next;
  };

  std::array<Free*, lists> free_{};
  std::size_t bytes_kept_ = 0;
};

}  // namespace escapement::detail
