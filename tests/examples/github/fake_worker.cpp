// The fake GitHub in a JavaScript host: recorded responses with faults, for the Worker's tests. /run-ID/...
// is a GitHub of its own, and /run-ID/log its record.

#include <map>

#include <escapement/wasm_glue/worker.h>

#include "github/fake_github.h"
#include "github/recordings_text.h"
#include "tools/serve/fixture_service.h"

using namespace escapement;
using namespace escapement::github;

namespace {

// The faults of the hosts' runs: short ones, because these hosts wait in real time.
FakeGitHubOptions faults() {
  using enum FakeFault;
  FakeGitHubOptions options;
  options.wants_token = true;
  options.faults = {none,       secondary_with_wait,
                    none,       refused_token,
                    none,       broken,
                    none,       none,
                    none,       none,
                    none,       none,
                    primary,    none,
                    none,       none,
                    none,       none,
                    too_many,   none,
                    bad_gateway};
  return options;
}

http::Service recorded() {
  std::vector<demo::Recording> all;
  for (const std::string_view scenario : recordings_text()) {
    Result<std::vector<demo::Recording>> read = demo::read_recordings(scenario);
    ESC_CHECK(read, "a scenario is no list of recordings");
    for (demo::Recording& recording : *read) all.push_back(std::move(recording));
  }
  return demo::fixture_service(std::move(all));
}

Task<http::Response> handle(http::Request request) {
  static std::map<std::string, FakeGitHub, std::less<>> runs;
  static const http::Service github = recorded();
  const std::string path = request.url.path();
  const std::string run = path.substr(0, path.find('/', 1));
  const FakeGitHub fake = runs.try_emplace(run, faults()).first->second;
  if (path.ends_with("/log")) co_return http::Response(200, fake.summary());
  const http::Service service = http::layered(fake, github);
  co_return co_await service(std::move(request));
}

}  // namespace

ESC_WORKER(handle)
