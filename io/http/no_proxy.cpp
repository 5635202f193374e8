#include <escapement/io/http/no_proxy.h>

#include <algorithm>
#include <optional>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>

namespace escapement::http {

namespace {

constexpr std::size_t list_max = 64 * KiB;
constexpr int key_bits = 128;
constexpr int v4_prefix = 96;  // an IPv4 address is ::ffff:1.2.3.4

bool same_bits(const HostKey& a, const HostKey& b, int bits) {
  for (std::size_t i = 0; bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xff : 0xff << (8 - bits) & 0xff;
    if (((std::to_integer<int>(a[i]) ^ std::to_integer<int>(b[i])) & mask) != 0) return false;
  }
  return true;
}

bool below(std::string_view name, std::string_view parent) {
  if (!name.ends_with(parent)) return false;
  return name.size() == parent.size() || name[name.size() - parent.size() - 1] == '.';
}

// Returns the address that a host is; nullopt for a name. Only an IPv6 address may have a zone after a '%':
// "127.0.0.1%21" is a name.
std::optional<HostKey> address_of(std::string_view host) {
  if (host.find(':') == host.npos && host.find('%') != host.npos) return std::nullopt;
  return parse_host_key(host);
}

std::string_view without_end_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

}  // namespace

NoProxy::NoProxy(std::string_view list) {
  list = list.substr(0, list_max);
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", \t"), list.size());
    if (end != 0) add(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

void NoProxy::add(std::string_view entry) {
  if (entry == "*") {
    all_ = true;
    return;
  }
  Entry made;
  std::optional<int> bits;
  const std::size_t slash = entry.find('/');
  if (slash != entry.npos) {
    bits = parse_number<std::uint8_t>(entry.substr(slash + 1));
    if (!bits) return;
    entry = entry.substr(0, slash);
  }
  // A colon is a port's if it is the only one, or follows a bracket.
  const std::size_t colon = entry.rfind(':');
  if (colon != entry.npos && (entry.find(':') == colon || (colon != 0 && entry[colon - 1] == ']'))) {
    const auto port = parse_number<std::uint16_t>(entry.substr(colon + 1));
    if (!port || *port == 0) return;
    made.port = *port;
    entry = entry.substr(0, colon);
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (const std::optional<HostKey> address = address_of(entry)) {
    const bool v4 = entry.find(':') == entry.npos;
    made.address = *address;
    made.bits = bits ? *bits + (v4 ? v4_prefix : 0) : key_bits;
    if (made.bits <= key_bits) entries_.push_back(std::move(made));
    return;
  }
  if (bits) return;
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  made.name = lower(without_end_dot(entry));
  if (!made.name.empty()) entries_.push_back(std::move(made));
}

bool NoProxy::matches(std::string_view host, std::uint16_t port) const {
  if (all_) return true;
  if (entries_.empty()) return false;
  const std::string name = lower(without_end_dot(host));
  const std::optional<HostKey> address = address_of(name);
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    if (entry.port != 0 && entry.port != port) return false;
    if (!address) return !entry.name.empty() && below(name, entry.name);
    return entry.name.empty() && same_bits(*address, entry.address, entry.bits);
  });
}

}  // namespace escapement::http
