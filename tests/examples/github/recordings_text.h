// The recordings of @octokit/fixtures as text in the program, for hosts without files (worker.cmake).

#pragma once

#include <string_view>
#include <vector>

// Returns the recordings of each scenario, as JSON.
std::vector<std::string_view> recordings_text();
