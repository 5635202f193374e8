// Leaving HTTP, for tests over every kind of stream: a conversation with a server that does, and the stream
// that is left over.

#pragma once

#include <vector>

#include "support/streams.h"

namespace escapement::test {

// Over each kind, a server is asked for something that it hints at first, and in the same breath for another
// protocol, whose first bytes follow at once.
void check_upgrades(const std::vector<StreamKind>& kinds);

// A connection whose accepting end has left HTTP.
StreamKind upgraded(const StreamKind& kind);

}  // namespace escapement::test
