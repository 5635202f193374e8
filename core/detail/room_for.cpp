#include <escapement/core/detail/room_for.h>

#include <cstdlib>

namespace escapement {

bool room_for(std::size_t bytes) noexcept {
  void* block = std::malloc(bytes);
  asm volatile("" : "+r"(block));  // or the compiler removes both calls and returns true
  std::free(block);
  return block != nullptr;
}

}  // namespace escapement
