// send_body: a body that C++ makes, streamed to the host as its reader asks for it.

#pragma once

#include <cstdint>

#include <escapement/io/http/message.h>
#include <escapement/wasm_glue/host_reply.h>

namespace escapement::wasm {

// Sends `body` under the number of `reply` and ends it, also where it fails, with the failure's text. Counts
// what it has sent in `sent`. Fails with timed_out if the reader asks for nothing for as long as `stall`,
// with invalid_argument if the body is not as long as it said, and as the body fails. Both must outlive the
// task.
Task<> send_body(HostReply& reply, http::Body& body, Duration stall, std::uint64_t& sent);

}  // namespace escapement::wasm
