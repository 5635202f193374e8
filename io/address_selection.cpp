#include <escapement/io/address_selection.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <tuple>

namespace escapement {

namespace {

using AddressBytes = std::array<std::byte, 16>;

// A line of the policy table: the addresses that begin with `bits` bits of `prefix`.
struct Policy {
  std::array<unsigned char, 16> prefix;
  int bits;
  int precedence;
  int label;
};

// RFC 6724 section 2.1, the longest prefixes first.
constexpr Policy policies[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50, 0},       // ::1
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, 96, 35, 4},  // ::ffff:0:0, IPv4
    {{}, 96, 1, 3},                                                       // ::, IPv4-compatible
    {{0x20, 0x01, 0, 0}, 32, 5, 5},                                       // 2001::, Teredo
    {{0x20, 0x02}, 16, 30, 2},                                            // 2002::, 6to4
    {{0x3f, 0xfe}, 16, 1, 12},                                            // 3ffe::, the 6bone
    {{0xfe, 0xc0}, 10, 1, 11},                                            // fec0::, site-local
    {{0xfc}, 7, 3, 13},                                                   // fc00::, unique local
    {{}, 0, 40, 1},                                                       // all others
};

bool begins_with(const AddressBytes& address, const Policy& policy) {
  for (int bit = 0; bit < policy.bits; bit += 8) {
    const auto at = static_cast<std::size_t>(bit / 8);
    const int left = std::min(8, policy.bits - bit);
    const unsigned mask = 0xffU << (8 - left) & 0xffU;
    if ((std::to_integer<unsigned>(address[at]) & mask) != (policy.prefix[at] & mask)) return false;
  }
  return true;
}

const Policy& policy_of(const AddressBytes& address) {
  return *std::ranges::find_if(policies, [&](const Policy& each) { return begins_with(address, each); });
}

enum AddressScope { link_local = 2, site_local = 5, global = 14 };  // RFC 4291 section 2.7

bool is_v4(const AddressBytes& address) { return &policy_of(address) == &policies[1]; }

// RFC 6724 sections 3.1 and 3.2: private IPv4 addresses are global ones.
int scope_of(const AddressBytes& address) {
  const auto byte = [&](std::size_t at) { return std::to_integer<int>(address[at]); };
  if (is_v4(address)) {
    const bool near = byte(12) == 127 || (byte(12) == 169 && byte(13) == 254);
    return near ? link_local : global;
  }
  if (byte(0) == 0xff) return byte(1) & 0x0f;  // multicast says it itself
  const bool loopback = &policy_of(address) == &policies[0];
  if (loopback || (byte(0) == 0xfe && (byte(1) & 0xc0) == 0x80)) return link_local;
  return byte(0) == 0xfe && (byte(1) & 0xc0) == 0xc0 ? site_local : global;
}

int common_bits(const AddressBytes& a, const AddressBytes& b) {
  int bits = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto differ = static_cast<unsigned char>(a[i] ^ b[i]);
    bits += std::countl_zero(differ);
    if (differ != 0) break;
  }
  return bits;
}

// The facts of a destination in the order of the rules, each the better the smaller it is.
using Rank = std::tuple<bool, bool, bool, int, int>;

struct Candidate {
  SocketAddress address;
  Rank rank;
  int common = 0;
  std::size_t place = 0;
};

Candidate candidate(const SocketAddress& address, const SourceAddress& source_of) {
  const std::optional<SocketAddress> source = source_of(address);
  const AddressBytes to = address.host_key();
  const AddressBytes from = source ? source->host_key() : AddressBytes{};
  const Policy& policy = policy_of(to);
  Candidate made;
  made.address = address;
  made.rank = Rank(!source, !source || scope_of(to) != scope_of(from),
                   !source || policy.label != policy_of(from).label, -policy.precedence, scope_of(to));
  const bool both_v6 = source && !is_v4(to) && !is_v4(from);
  made.common = both_v6 ? common_bits(to, from) : 0;
  return made;
}

}  // namespace

void sort_addresses(std::vector<SocketAddress>& destinations, const SourceAddress& source) {
  if (!source || destinations.size() < 2) return;
  std::vector<Candidate> candidates;
  for (const SocketAddress& address : destinations) candidates.push_back(candidate(address, source));
  // Rule 9 compares two IPv6 addresses alone. As IPv4 has a precedence of its own in the table, addresses of
  // different families differ before it, or neither can be told from the other: the order is a strict one.
  for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].place = i;
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tuple(a.rank, -a.common, a.place) < std::tuple(b.rank, -b.common, b.place);
  });
  for (std::size_t i = 0; i < candidates.size(); ++i) destinations[i] = candidates[i].address;
}

}  // namespace escapement
