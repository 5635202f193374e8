// room_for: checks for memory before an allocation whose size others decide.

#pragma once

#include <cstddef>

namespace escapement {

// Returns whether so many bytes could be allocated now. Without exceptions a failed allocation ends the
// program, so sizes that others decide have to be checked first.
bool room_for(std::size_t bytes) noexcept;

}  // namespace escapement
