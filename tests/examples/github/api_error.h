// ApiError: what GitHub says about a call that it has refused.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/system_time.h>
#include <escapement/io/http/message.h>

namespace escapement::github {

// One of the reasons for a 422: a member of the request that is not as it should be.
struct FieldError {
  std::string resource;  // "Issue"
  std::string field;     // "title"
  std::string code;      // "missing_field", "already_exists", "invalid", "custom", ...
  std::string message;   // with the code "custom"
};

// A response that is no success. Everything but the status is empty if GitHub, or a proxy on the way, has not
// sent it.
struct ApiError {
  // Reads a response. `now` is the wall clock, for limits.
  static ApiError read(int status, const http::Headers& headers, const std::string& body, SystemTime now);

  int status = 0;
  std::string message;            // "Validation Failed"
  std::string documentation_url;  // where GitHub explains it
  std::vector<FieldError> errors;
  std::string request_id;  // to quote to GitHub's support
  // It is a rate limit, primary or secondary: the same call can succeed later.
  bool is_limit = false;
  // The time that GitHub asks to wait, where it names one.
  std::optional<Duration> wait;

  // Returns the kind of the Error that the call fails with:
  //
  //     a limit (429, and 403 with what tells one)    unavailable
  //     401, 407, other 403, 451                      permission_denied
  //     404, 410                                      not_found
  //     408, 5xx                                      unavailable
  //     409, 422 and every other 4xx                  invalid_argument
  //     1xx, 3xx                                      bad_message
  Errc kind() const;
  // Returns that Error: "POST repos/o/r/issues: 422 Validation Failed (Issue.title: missing_field)".
  Error as_error(std::string_view what) const;
};

}  // namespace escapement::github
