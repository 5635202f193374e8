// HostKey: a peer's address as bytes, for limits that hold for each peer.

#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace escapement {

// An IPv6 address, or an IPv4 one as IPv6 writes it (::ffff:1.2.3.4).
using HostKey = std::array<std::byte, 16>;

// Reads "10.0.0.1" or "2001:db8::1", without brackets or port; what follows a '%' is ignored. None where it
// is no address.
std::optional<HostKey> parse_host_key(std::string_view address);

// Returns what one peer has to itself: an IPv4 address, or the first 64 bits of an IPv6 one, because whoever
// has one such address usually has all that begin like it. The one rule for every limit that holds for each
// peer.
HostKey network_of(const HostKey& host);

// "10.0.0.1" or "2001:db8:0:0::", of a network.
std::string network_text(const HostKey& network);

}  // namespace escapement
