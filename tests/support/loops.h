// Loops on the pollers of the operating system. Native tests only.

#pragma once

#include <memory>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/loop.h>

namespace escapement::test {

inline std::unique_ptr<Loop> make_loop(std::string backend, LoopOptions options = LoopOptions()) {
  options.backend = std::move(backend);
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  REQUIRE(loop);
  return *std::move(loop);
}

}  // namespace escapement::test
