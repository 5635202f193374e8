// Ring: a first-in, first-out buffer in one block of memory.

#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <escapement/core/detail/check.h>

namespace escapement::detail {

// Grows by doubling and never shrinks, so that it allocates nothing once it has been as long as it gets. A
// failure to allocate leaves it as it was.
template <class T>
class Ring {
  static_assert(std::is_nothrow_move_constructible_v<T>, "what is queued must move without throwing");

 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    while (!empty()) pop_front();
    release();
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  // Returns the element at a place that is counted from the oldest. `place` must be less than `size()`.
  T& operator[](std::size_t place) { return slots_[(first_ + place) & (room_ - 1)]; }
  T& front() { return (*this)[0]; }

  void push_back(T&& value) {
    if (size_ == room_) grow();
    ::new (static_cast<void*>(&(*this)[size_])) T(std::move(value));
    ++size_;
  }
  // Removes the oldest element and returns it. The ring must not be empty (checked).
  T pop_front() {
    ESC_CHECK(size_ != 0);
    T& first = front();
    T value = std::move(first);
    first.~T();
    first_ = (first_ + 1) & (room_ - 1);
    --size_;
    return value;
  }

 private:
  void grow() {
    const std::size_t room = room_ == 0 ? 8 : room_ * 2;
    T* slots = std::allocator<T>().allocate(room);
    for (std::size_t i = 0; i < size_; ++i) {
      T& from = (*this)[i];
      ::new (static_cast<void*>(slots + i)) T(std::move(from));
      from.~T();
    }
    release();
    slots_ = slots;
    room_ = room;
    first_ = 0;
  }
  void release() {
    if (slots_ != nullptr) std::allocator<T>().deallocate(slots_, room_);
  }

  T* slots_ = nullptr;
  std::size_t room_ = 0;  // a power of two, or 0
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace escapement::detail
