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

// Returns how long the host may take for an operation that may take `limit`, if it has the `bytes` of its
// body at the beginning, and sends them meanwhile: a second more for each 64 KiB.
inline Duration with_time_to_send(Duration limit, std::uint64_t bytes) {
  return limit + Duration(1s) * static_cast<std::int64_t>(bytes / (64 * KiB));
}
// The bytes of a body whose length is not known, for that.
inline constexpr std::uint64_t unknown_body_bytes = 16 * MiB;

}  // namespace escapement::wasm
