// The two record buffers of a TLS connection: 16 KiB each, for the largest records. An idle connection needs
// only their beginnings.

#pragma once

#include <cstddef>

struct mbedtls_ssl_context;

namespace escapement::detail {

// The largest record, in bytes, that stays within what an idle connection keeps.
constexpr std::size_t small_record_max = 900;

// Gives the pages behind the beginnings of both buffers back to the system; they return, as zeros, when a
// larger record needs them. Returns false, without doing anything, if there is something in them: try again
// later. Costs two system calls, and a page fault for each page that is used again.
bool give_back_record_buffers(mbedtls_ssl_context& ssl);

}  // namespace escapement::detail
