// Recorded responses of a real API as a Service, with deliberate faults that the demo's client has to handle.
// Used by esc-serve and, in the same process, by the simulated run.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/http/service.h>

namespace escapement::demo {

// One recorded exchange. `path` includes the query.
struct Recording {
  std::string method;
  std::string path;
  int status = 200;
  http::Headers headers;
  std::string body;
};

// Reads the recordings of `scenarios` in npm's @octokit/fixtures, whose folder is `directory`. Errors:
// not_found or invalid_argument, naming the file.
Result<std::vector<Recording>> load_recordings(const std::string& directory);

// Reads the recordings of one scenario, a list in JSON. Errc::invalid_argument for any other text.
Result<std::vector<Recording>> read_recordings(std::string_view json);

// Responds to /run-ID/PATH as recorded for PATH, with links to the API rewritten to this server. The first
// requests of a run for some paths meet a fault each: a stall, 503 and 429 with Retry-After, and connections
// that break before and after the head. Runs with different IDs do not disturb each other.
http::Service fixture_service(std::vector<Recording> recordings);

}  // namespace escapement::demo
