// The work of esc-fetch, after its command line has been parsed.

#pragma once

#include "tools/fetch/options.h"

namespace escapement {

// Fetches every URL. Returns the exit code of the last failure, or 0 if every response was complete.
int fetch_all(const FetchOptions& options);

}  // namespace escapement
