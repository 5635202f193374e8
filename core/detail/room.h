// room_for: asks before memory is taken that others decide the size of.

#pragma once

#include <cstddef>

namespace escapement {

// Whether so many bytes could be allocated now. Where exceptions are off a failed allocation ends the
// program, so that what others send has to be asked for first.
bool room_for(std::size_t bytes) noexcept;

}  // namespace escapement
