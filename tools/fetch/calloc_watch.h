// mbedTLS says "no handshake" and "no such issuer" too where it lacks memory. This notices that memory ran
// out.

#pragma once

namespace escapement {

// Whether a calloc of the program, its archives included, has failed.
bool calloc_has_failed();

}  // namespace escapement
