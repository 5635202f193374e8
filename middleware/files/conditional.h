// Conditional requests (RFC 9110 section 13): whether the client's copy is still valid. Pure; no clock, no
// I/O.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/system_time.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// The validators of a representation. `etag` is written as in ETag, quotes included; empty: none.
class Validators {
 public:
  explicit Validators(std::string tag, std::optional<SystemTime> last_modified = std::nullopt)
      : etag(std::move(tag)), modified(last_modified) {}
  std::string etag;                    // with its quotes; empty: none
  std::optional<SystemTime> modified;  // the time of the last change
};

// The outcome of a request's conditions.
enum class Precondition {
  holds,         // process the request
  not_modified,  // 304: the client's copy is valid
  failed,        // 412
};

// Evaluates If-Match, else If-Unmodified-Since; then If-None-Match, else (GET and HEAD) If-Modified-Since, in
// the order of RFC 9110 section 13.2.2. Compares dates by whole seconds and treats an unreadable date as
// absent. A malformed list of tags matches up to the error.
Precondition evaluate(const Request& request, const Validators& validators, SystemTime now);

// Returns whether a Range of the request may be honoured (If-Range, section 13.1.5); true without the field.
// Only a strong tag matches, and only a date that equals the last change and lies at least one second back.
bool if_range_holds(const Request& request, const Validators& validators, SystemTime now);

// Returns whether `list` ("*", or entity-tags separated by commas) holds `etag`. Weakly: `W/` does not
// matter.
bool etag_list_matches(std::string_view list, std::string_view etag, bool weakly);

}  // namespace escapement::http
