// sort_addresses: which of a host's addresses is worth a try first.
//
// Source: RFC 6724, sections 2.1 (the policy table), 3 (scopes) and 6 (destination address selection).

#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <escapement/io/address.h>

namespace escapement {

// Returns the address of this machine that packets to `destination` come from; nothing: there is no way to
// it. io/native/source_address.h asks the kernel; a simulation says it itself.
using SourceAddress = std::function<std::optional<SocketAddress>(const SocketAddress& destination)>;

// Sorts `destinations`, the best one first. Of two the one is better that, by the first rule that tells:
//
//     1  can be reached at all
//     2  has the scope of its source address (link-local with link-local, global with global)
//     5  has the label of its source address in the policy table (6to4 with 6to4, Teredo with Teredo)
//     6  has the higher precedence in the table: ::1, then IPv6, IPv4, 6to4, Teredo, unique local
//     8  has the smaller scope
//     9  shares more leading bits with its source address, of two IPv6 addresses and up to 64 bits
//    10  came first
//
// Rules 3, 4 and 7 (deprecated, home and encapsulated addresses) need facts that a program cannot ask for.
// Rule 9 is not applied to IPv4, where it would undo the order by which DNS spreads the load. `source` is
// called once for each address; without a function nothing is sorted.
void sort_addresses(std::vector<SocketAddress>& destinations, const SourceAddress& source);

}  // namespace escapement
