// in_digits: a number in digits.

#pragma once

#include <cstdint>
#include <string>

namespace escapement {

// Returns what std::to_string does. Without its tables, which weigh a kilobyte in a wasm module: for texts
// that are not made often.
std::string in_digits(std::int64_t number);

}  // namespace escapement
