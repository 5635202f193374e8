// What logs and metrics write down where a handler failed.

#pragma once

#include <escapement/core/error.h>

namespace escapement::http {

// What a Server answers to that failure; 444, which no peer ever sees, where it resets the connection.
inline int error_status(const Error& error) {
  if (error == Errc::reset) return 444;
  return error == Errc::timed_out ? 503 : 500;
}

}  // namespace escapement::http
