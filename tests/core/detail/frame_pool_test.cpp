#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/task.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

namespace {

Task<int> leaf(int value) {
  co_await yield();
  co_return value;
}

Task<int> sum(int count) {
  int total = 0;
  for (int i = 0; i < count; ++i) {
    int value = co_await leaf(i);
    total += value;
  }
  co_return total;
}

}  // namespace

TEST_CASE("recycle: sizes from one byte to many, inside a pool and outside, in any order") {
  detail::FramePool pool;
  std::vector<std::pair<void*, std::size_t>> held;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t size = 1; size < 5000; size += 37) {
      std::optional<detail::FramePool::Use> use;
      if (round != 1) use.emplace(pool);
      void* frame = detail::allocate_block(size);
      std::memset(frame, 0x5a, size);  // AddressSanitizer and valgrind see a block that is too small
      held.emplace_back(frame, size);
    }
    std::optional<detail::FramePool::Use> use;
    if (round != 2) use.emplace(pool);
    for (auto [frame, size] : held) detail::free_block(frame, size);
    held.clear();
  }
}

TEST_CASE("recycle: what a pool keeps is bounded") {
  detail::FramePool pool;
  detail::FramePool::Use use(pool);
  std::vector<void*> held;
  for (int i = 0; i < 2000; ++i) held.push_back(detail::allocate_block(1000));
  for (void* frame : held) detail::free_block(frame, 1000);
  CHECK(pool.bytes_kept() <= detail::FramePool::bytes_max + 1024);
}

TEST_CASE("recycle: a reactor inside a turn of another one keeps its own") {
  Sim outer;
  Sim inner;
  auto nested = [](Sim& sim) -> Task<int> {
    int before = co_await sum(10);
    Result<int> inside = sim.run(sum(10));
    int after = co_await sum(10);
    co_return before + *inside + after;
  };
  CHECK(*outer.run(nested(inner)) == 135);
}

TEST_CASE("recycle: a task made and dropped outside of any reactor") {
  Task<int> dropped = sum(3);
  Sim sim;
  Task<int> run_later = sum(4);
  CHECK(*sim.run(std::move(run_later)) == 6);
}
