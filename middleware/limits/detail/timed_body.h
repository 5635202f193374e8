// A body whose reading is limited in time.

#pragma once

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Returns `body`, each of whose reads fails with timed_out (`which`) `limit` after it began, or all of them
// `limit` after `began` if that is not never().
Body timed_body(Body body, Duration limit, Instant began, TimeLimit which = TimeLimit::body);

}  // namespace escapement::http::detail
