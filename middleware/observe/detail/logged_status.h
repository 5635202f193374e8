// The status that logs and metrics show for a handler that failed.

#pragma once

#include <escapement/io/http/message.h>

namespace escapement::http {

// Returns the status that a Server responds with, or 444, which no peer ever sees, where it resets the
// connection.
inline int logged_status(const Error& error) { return error == Errc::reset ? 444 : error_status(error); }

}  // namespace escapement::http
