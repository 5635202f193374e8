// A copy of a request to send again.

#pragma once

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Returns a copy with the body, which must be replayable (checked).
inline Request whole_copy(const Request& request) {
  Request copy = request.copy_without_body();
  copy.body = request.body.copy();
  return copy;
}

}  // namespace escapement::http::detail
