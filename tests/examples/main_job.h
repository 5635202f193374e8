// The main job: one client program that runs on every host of the library. It fetches a repository, one that
// was renamed, one thing that does not exist, and all pages of a list of issues, from a server that stalls,
// refuses and breaks connections on the way.

#pragma once

#include <string>

#include <escapement/io/http/service.h>

namespace escapement::demo {

// Sends everything through `transport` to the API at `base` and reports in text: a line for each thing that
// happened, "MILLISECONDS\tWHAT\n", an empty line, and every byte that was fetched.
Task<std::string> main_job(http::Service transport, std::string base);

}  // namespace escapement::demo
