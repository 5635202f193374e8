// Options of TCP sockets that Linux has and POSIX has not. A program that includes this builds on Linux
// alone.

#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <string>

#include <escapement/io/native/tcp_options.h>

namespace escapement {

namespace detail {

// Returns a length in a larger unit, rounded up; negative if the length is.
inline int in_units(Duration length, Duration unit) {
  const std::int64_t count = length.count() / unit.count() + (length.count() % unit.count() > 0 ? 1 : 0);
  return static_cast<int>(std::clamp<std::int64_t>(length < Duration() ? -1 : count, -1, INT_MAX));
}

}  // namespace detail

// Limits how long bytes that were written may stay unacknowledged, or unsent because the peer takes none, and
// how long keep-alive may go on: after `limit` the connection is lost and fails with reset. Rounded up to
// milliseconds; 0: the system's limit, some 15 minutes. Source: tcp(7), TCP_USER_TIMEOUT; RFC 5482.
inline SystemSocketOption tcp_user_timeout(Duration limit) {
  return SystemSocketOption("a user timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, detail::in_units(limit, 1ms),
                            false);
}

// Makes a listener accept connections only when their first bytes have arrived, or, in spite of that, once
// `limit` has passed: for protocols in which the client speaks first. Rounded up to seconds, by the kernel to
// the next time at which it sends its answer again. Source: tcp(7), TCP_DEFER_ACCEPT.
inline SystemSocketOption tcp_defer_accept(Duration limit) {
  return SystemSocketOption("deferred accepting", IPPROTO_TCP, TCP_DEFER_ACCEPT, detail::in_units(limit, 1s),
                            true);
}

}  // namespace escapement
