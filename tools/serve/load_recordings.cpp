#include <fstream>
#include <sstream>

#include "tools/serve/fixture_service.h"

namespace escapement::demo {

Result<std::vector<Recording>> load_recordings(const std::string& directory) {
  std::vector<Recording> recordings;
  for (const char* scenario :
       {"paginate-issues", "get-repository", "rename-repository", "branch-protection", "get-content",
        "search-issues", "release-assets", "add-labels-to-issue", "create-file", "errors"}) {
    const std::string name = directory + "/scenarios/api.github.com/" + scenario + "/normalized-fixture.json";
    std::ifstream file(name);
    if (!file) return Error(Errc::not_found, "no recording at " + name);
    std::ostringstream text;
    text << file.rdbuf();
    Result<std::vector<Recording>> read = read_recordings(text.str());
    if (!read) return std::move(read).error().context(name);
    for (Recording& recording : *read) recordings.push_back(std::move(recording));
  }
  return recordings;
}

}  // namespace escapement::demo
