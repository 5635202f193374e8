// The options in a file (-K), in curl's form.

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/error.h>

namespace escapement {

// Returns whether the option, "-o" or "--output", is followed by a value.
using TakesValue = std::function<bool(const std::string& option)>;

// Puts the options of each "-K FILE" in its place: "-KFILE", "-sK FILE", "--config=FILE" and those in such
// files, too. A line of the file is an option, with or without its dashes, and its value after white space,
// '=' or ':', perhaps in quotes with \\, \", \t, \n, \r; '#' begins a comment. "-": standard input.
// Errc::permission_denied: a file cannot be read; invalid_argument: files that name one another.
Result<std::vector<std::string>> with_config_files(std::vector<std::string> arguments,
                                                   const TakesValue& takes_value);

}  // namespace escapement
