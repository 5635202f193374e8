// Output: bytes that are put together to be sent.

#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/io/http/detail/characters.h>

namespace escapement::http {

// Does what a std::string would do, and one thing more: a caller that knows how much will come at most writes
// it in its place.
//
//     char* at = output.room(100);
//     output.end_at(put(put(at, name), value));
class Output {
 public:
  Output() = default;
  Output(Output&& other) noexcept
      : bytes_(std::move(other.bytes_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Output& operator=(Output other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = other.size_;
    capacity_ = other.capacity_;
    return *this;
  }
  ~Output() = default;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  // Valid until it changes.
  std::string_view view() const { return {bytes_.get(), size_}; }

  // Where the next bytes stand, with room for `count` of them, valid until it changes.
  char* room(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return bytes_.get() + size_;
  }
  // They were written up to `end`.
  void end_at(const char* end) { size_ = static_cast<std::size_t>(end - bytes_.get()); }

  ESC_INLINE Output& operator+=(std::string_view text) {
    end_at(detail::put(room(text.size()), text));
    return *this;
  }
  // Keeps its memory.
  void clear() { size_ = 0; }
  void drop_front(std::size_t count) {
    ESC_CHECK(count <= size_);
    std::memmove(bytes_.get(), bytes_.get() + count, size_ - count);
    size_ -= count;
  }

 private:
  ESC_NOINLINE void grow(std::size_t count) {
    const std::size_t wanted = size_ + count;
    const std::size_t capacity = wanted < 2 * capacity_ ? 2 * capacity_ : wanted < 512 ? 512 : wanted;
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace escapement::http
