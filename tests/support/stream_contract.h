// The contract of every Stream. One body for all kinds (streams.h); each case gets a world of its own.

#pragma once

#include <vector>

#include "support/streams.h"

namespace escapement::test {

// Runs the whole contract over every kind given.
void check_stream_contract(const std::vector<StreamKind>& kinds);

}  // namespace escapement::test
