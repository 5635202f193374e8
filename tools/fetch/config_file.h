// The options in a file (-K), in curl's form.

#pragma once

#include <string>
#include <vector>

#include <escapement/core/error.h>

namespace escapement {

// Puts the options of each "-K FILE" in its place. A line of the file is an option, with or without its
// dashes, and its value after white space, '=' or ':', perhaps in quotes with \\, \", \t, \n, \r; '#' begins
// a comment. "-": standard input. Errc::permission_denied: a file cannot be read.
Result<std::vector<std::string>> with_config_files(std::vector<std::string> arguments);

}  // namespace escapement
