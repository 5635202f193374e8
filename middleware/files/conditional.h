// Conditional requests (RFC 9110 section 13): whether the client's copy still holds. Pure; no clock, no I/O.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/system_time.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// What a representation is told apart by. `etag` as it stands in ETag, quotes included; empty: none.
class Validators {
 public:
  explicit Validators(std::string tag, std::optional<SystemTime> last_modified = std::nullopt)
      : etag(std::move(tag)), modified(last_modified) {}
  std::string etag;
  std::optional<SystemTime> modified;
};

enum class Precondition {
  holds,         // do what was asked
  not_modified,  // 304: the client's copy is good
  failed,        // 412
};

// If-Match, else If-Unmodified-Since; then If-None-Match, else (GET and HEAD) If-Modified-Since, in the order
// of RFC 9110 section 13.2.2. Dates are compared by whole seconds; one that cannot be read is as good as
// absent. A list of tags that is malformed matches up to where it is.
Precondition evaluate(const Request& request, const Validators& validators, SystemTime now);

// If-Range (section 13.1.5): whether a Range of the request may be honoured; true without the field. Only a
// strong tag matches, and only a date that is exactly that of the last change and lies a second back at
// least.
bool if_range_holds(const Request& request, const Validators& validators, SystemTime now);

// Whether `list` ("*", or entity-tags with commas between) holds `etag`. Weakly: `W/` does not matter.
bool etag_list_matches(std::string_view list, std::string_view etag, bool weakly);

}  // namespace escapement::http
