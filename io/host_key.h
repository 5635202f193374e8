// HostKey: a peer's address as bytes, for limits per peer.

#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace escapement {

// An IPv6 address, or an IPv4 one in IPv6 form (::ffff:1.2.3.4).
using HostKey = std::array<std::byte, 16>;

// Parses "10.0.0.1" or "2001:db8::1", without brackets or port; anything after a '%' is ignored. nullopt if
// the text is no address.
std::optional<HostKey> parse_host_key(std::string_view address);

// Returns whether it is an IPv4 address.
bool is_ipv4(const HostKey& host);

// Returns the key that limits per peer count by: an IPv4 address, or the first 64 bits of an IPv6 one,
// because a peer that has one such address usually has all that begin like it. The one rule for all these
// limits.
HostKey network_of(const HostKey& host);

// Formats a network: "10.0.0.1" or "2001:db8:0:0::".
std::string network_text(const HostKey& network);

}  // namespace escapement
