// Seeds of lifecycle games that have shown a fault once: played by every run of io/lifecycle_fuzz_test.cpp,
// over every transport.

#pragma once

#include <cstdint>

namespace escapement::test {

constexpr std::uint64_t lifecycle_seeds[] = {
    14,  // TLS: a ticket sealed for a connection that was gone
};

}  // namespace escapement::test
