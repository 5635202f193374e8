// Recorded answers of a real API as a Service, with faults on purpose: what the demo's client has to get
// through. Used by esc-serve and, in the same process, by the simulated run.

#pragma once

#include <string>
#include <vector>

#include <escapement/io/http/service.h>

namespace escapement::demo {

// One exchange as it was recorded. `path` has its query.
struct Recording {
  std::string method;
  std::string path;
  int status = 200;
  http::Headers headers;
  std::string body;
};

// Reads the recordings of `scenarios` in npm's @octokit/fixtures, whose folder is `directory`.
// Errc::not_found or invalid_argument with the file's name.
Result<std::vector<Recording>> load_recordings(const std::string& directory);

// Answers /run-ID/PATH as PATH was recorded, with links to the API rewritten to this server. The first
// requests of a run for some paths meet a fault each: a stall, 503 and 429 with Retry-After, and connections
// that break before and after the head. Runs with different IDs do not disturb each other.
http::Service fixture_service(std::vector<Recording> recordings);

}  // namespace escapement::demo
