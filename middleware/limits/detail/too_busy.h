// The response to a request that a limit refuses.

#pragma once

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// 503 with "Retry-After: 1".
inline Response too_busy() {
  return Response(503, Headers{{"Content-Type", "text/plain"}, {"Retry-After", "1"}}, "too busy\n");
}

}  // namespace escapement::http::detail
