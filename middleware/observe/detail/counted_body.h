// How much of a body has gone out: for logs and metrics.

#pragma once

#include <cstdint>
#include <memory>

#include <escapement/io/http/message.h>

namespace escapement::http {

struct BodyCount {
  std::uint64_t bytes = 0;
  bool whole = false;  // its end was reached
};

// Counts what is taken out of `body` from now on. Bytes in memory count at once, as they leave in one piece;
// a part of a file counts also where it is sent without being read.
std::shared_ptr<const BodyCount> count(Body& body);

}  // namespace escapement::http
