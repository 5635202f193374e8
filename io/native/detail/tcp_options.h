// Sets the options of tcp_options.h on a socket.

#pragma once

#include <string>

#include <escapement/core/error.h>
#include <escapement/io/address.h>
#include <escapement/io/native/tcp_options.h>

namespace escapement::detail {

// Prepare a new socket before it connects or listens. `what` begins the message of a failure:
// invalid_argument for a value out of its bounds, unavailable for a local address that is not this machine's
// or of another family than `peer`, or the system's.
Result<> prepare_to_connect(int fd, const TcpSocketOptions& options, const SocketAddress& peer,
                            const std::string& what);
Result<> prepare_to_listen(int fd, const TcpSocketOptions& options, const std::string& what);

}  // namespace escapement::detail
