// The cookies of esc-fetch: -b, -c and -j.

#pragma once

#include <memory>

#include <escapement/core/error.h>
#include <escapement/middleware/client/cookies.h>

#include "tools/fetch/options.h"

namespace escapement {

// Returns a jar with the cookies of the files of -b, or null if no option asks for one. A file that is not
// there is an empty one, as a first run has none; lines of it that are no cookies are left out, with a
// sentence on standard error. Errc::permission_denied: a file cannot be read.
Result<std::shared_ptr<http::CookieJar>> cookie_jar_of(const FetchOptions& options);

// Writes all cookies, those of the session too, into the file of -c; "-": standard output. A new file can be
// read by its owner alone. Does nothing without -c. Errors: the file cannot be written.
Result<> save_cookies(const FetchOptions& options, const http::CookieJar& jar);

}  // namespace escapement
