// The file name in a response's Content-Disposition, for -J.

#pragma once

#include <string>
#include <string_view>

namespace escapement {

// Returns the last part of the path in `filename`, so that a server chooses a name and never a folder; empty
// if there is none, or if it is no name for a file ("..", control characters).
std::string attachment_name(std::string_view content_disposition);

}  // namespace escapement
