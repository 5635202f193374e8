// The parts of -F and --form-string.

#pragma once

#include <escapement/core/error.h>
#include <escapement/middleware/client/multipart.h>

#include "tools/fetch/options.h"

namespace escapement {

// Reads "NAME=CONTENT", "NAME=@FILE" and "NAME=<FILE", each with ";type=TYPE" and ";filename=NAME" behind.
// Errc::invalid_argument: another form; permission_denied: a file cannot be read.
Result<http::Multipart> form_of(const FetchOptions& options);

}  // namespace escapement
