// Counts how much of a body has been sent: for logs and metrics.

#pragma once

#include <cstdint>
#include <memory>

#include <escapement/io/http/message.h>

namespace escapement::http {

struct BodyCount {
  std::uint64_t bytes = 0;
  bool whole = false;  // its end was reached
};

// Counts what is taken out of `body` from now on. Bytes in memory count at once, because they leave in one
// piece; a file range also counts when it is sent without being read.
std::shared_ptr<const BodyCount> count(Body& body);

}  // namespace escapement::http
