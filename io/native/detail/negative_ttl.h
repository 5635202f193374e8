// The time for which a DNS answer without addresses may be remembered.

#pragma once

#include <optional>
#include <string_view>

#include <escapement/core/time.h>

namespace escapement::detail {

// Returns the smaller of the TTL and the MINIMUM of the SOA record in the authority section of a DNS message;
// nothing if there is none, or the message is malformed.
//
// Source: RFC 2308 section 5; RFC 1035 sections 4.1 (messages), 3.3.13 (SOA).
std::optional<Duration> negative_ttl(std::string_view message);

}  // namespace escapement::detail
