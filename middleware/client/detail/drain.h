// Reads the little that is left of a response that nobody wants, so that its connection can be used again.

#pragma once

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Returns whether `drain` may keep a connection: never on wasm, where the host has them (drain_none.cpp), nor
// for bytes in memory or a body that is known to be longer than 2 KiB.
bool worth_draining(const Body& body);

// Reads `body` to its end if that is at most 2 KiB which have come already; gives it up otherwise. Takes no
// time: it waits for nothing. Never fails.
Task<> drain(Body body);

}  // namespace escapement::http::detail
