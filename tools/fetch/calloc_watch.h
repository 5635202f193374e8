// Detects that memory ran out: mbedTLS then reports "no handshake" or "no such issuer".

#pragma once

namespace escapement {

// Returns whether a calloc of the program, including its archives, has failed.
bool calloc_has_failed();

}  // namespace escapement
