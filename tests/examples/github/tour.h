// The example's programs on a GitHub: they run the same natively, in a Worker and in a simulation.

#pragma once

#include <string>

#include "github/github.h"

namespace escapement::github {

// Yields a page about a repository: its description, its newest issues, the size of its README, and what is
// left of the rate limit.
Task<std::string> summary(GitHub github, std::string owner, std::string name);

// Makes the calls that npm's @octokit/fixtures has recorded, of the organisation `owner`. Yields a line for
// each result.
Task<std::string> tour(GitHub github, std::string owner);

}  // namespace escapement::github
