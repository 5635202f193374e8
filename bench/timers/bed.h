// A contender with N timers, whose memory belongs to the user and is not the contender's.

#pragma once

#include <cstdlib>
#include <new>

#include "contender.h"

namespace bench {

// Room for timers of a contender, none of them made yet; written to once, so that no page is new later.
template <class C>
class Room {
 public:
  using Timer = typename C::Timer;
  explicit Room(std::size_t count)
      : memory_(::operator new(count * sizeof(Timer), std::align_val_t{alignment})) {
    char* bytes = static_cast<char*>(memory_);
    for (std::size_t at = 0; at < count * sizeof(Timer); at += 4096) bytes[at] = 1;
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ~Room() { ::operator delete(memory_, std::align_val_t{alignment}); }

  Timer* at(std::size_t i) { return static_cast<Timer*>(memory_) + i; }

 private:
  static constexpr std::size_t alignment = 64;
  void* memory_;
};

template <class C>
class Bed {
 public:
  using Timer = typename C::Timer;
  explicit Bed(std::uint32_t size) : size_(size), room_(size) {
    for (std::uint32_t id = 0; id < size; ++id) new (room_.at(id)) Timer(queue, id);
  }
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;
  ~Bed() {
    for (std::uint32_t id = 0; id < size_; ++id) {
      queue.drop(*room_.at(id));
      room_.at(id)->~Timer();
    }
    queue.settle();
  }

  Timer& operator[](std::size_t id) { return *room_.at(id); }
  std::uint32_t size() const { return size_; }

 private:
  struct Clock {
    Clock() { virtual_time = start_time; }
  };

  std::uint32_t size_;
  Room<C> room_;
  Clock clock_;  // set before the queue is made, which may read it

 public:
  C queue = C();  // gone before the room is
};

}  // namespace bench
