// source_address: the address of this machine that the kernel would choose for a destination.

#pragma once

#include <optional>

#include <escapement/io/address.h>

namespace escapement {

// Asks the kernel by connecting a UDP socket, which sends nothing. Returns nothing if there is no way to
// `destination`, or no descriptor to ask with. For sort_addresses (io/address_selection.h).
//
// Source: RFC 6724 section 6, connect(2) of SOCK_DGRAM.
std::optional<SocketAddress> source_address(const SocketAddress& destination);

}  // namespace escapement
