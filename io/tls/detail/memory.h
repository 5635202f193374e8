// The two record buffers of a TLS connection: 16 KiB each, for records that may be that large, of which an
// idle connection needs the beginnings.

#pragma once

#include <cstddef>

struct mbedtls_ssl_context;

namespace escapement::detail {

// A record of at most so many bytes stays within what an idle connection keeps.
constexpr std::size_t small_record_max = 900;

// Gives the pages behind the beginnings of both buffers back to the system; they come back, as zeros, when a
// larger record needs them. False, and nothing has happened: there is something in them, try again later.
// Costs two system calls, and a page fault for each page that is used again.
bool give_back_record_buffers(mbedtls_ssl_context& ssl);

}  // namespace escapement::detail
