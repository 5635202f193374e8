#include <escapement/io/host_key.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <escapement/core/detail/number.h>

namespace escapement {

namespace {

constexpr std::size_t network_bytes = 8;
constexpr std::array<std::byte, 12> ipv4_prefix = {
    {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}}};

// Parses all of `text` as a number of at most `digits_max` digits.
std::optional<std::uint32_t> number(std::string_view text, int base, std::size_t digits_max) {
  if (text.size() > digits_max) return std::nullopt;
  return parse_number<std::uint32_t>(text, base);
}

// Parses four numbers into the last bytes of `into`.
bool parse_ipv4(std::string_view text, HostKey& into) {
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == text.npos) return false;
    const std::optional<std::uint32_t> byte = number(text.substr(0, dot), 10, 3);
    if (!byte || *byte > 255) return false;
    into[12 + i] = std::byte(*byte);
    text.remove_prefix(std::min(text.size(), dot + 1));
  }
  return true;
}

// Parses groups between colons into consecutive bytes. Returns how many bytes; nullopt if the text is no list
// of groups.
std::optional<std::size_t> parse_groups(std::string_view text, HostKey& into) {
  std::size_t bytes = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::optional<std::uint32_t> group = number(text.substr(0, colon), 16, 4);
    if (!group || bytes == into.size()) return std::nullopt;
    into[bytes++] = std::byte(*group >> 8);
    into[bytes++] = std::byte(*group & 255);
    if (colon == text.npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;
  }
  return bytes;
}

std::optional<HostKey> parse_ipv6(std::string_view text) {
  // An IPv4 address at the end stands for two groups.
  std::string replaced;
  if (text.find('.') != text.npos) {
    const std::size_t colon = text.rfind(':');
    HostKey ipv4{};
    if (colon == text.npos || !parse_ipv4(text.substr(colon + 1), ipv4)) return std::nullopt;
    replaced = text.substr(0, colon + 1);
    char digits[5];
    for (const std::size_t at : {std::size_t{12}, std::size_t{14}}) {
      const unsigned group =
          std::to_integer<unsigned>(ipv4[at]) << 8 | std::to_integer<unsigned>(ipv4[at + 1]);
      replaced.append(digits, std::to_chars(digits, digits + sizeof digits, group, 16).ptr);
      if (at == 12) replaced += ':';
    }
    text = replaced;
  }
  HostKey host{};
  const std::size_t gap = text.find("::");
  const std::optional<std::size_t> before = parse_groups(text.substr(0, gap), host);
  if (!before) return std::nullopt;
  if (gap == text.npos) return *before == host.size() ? std::optional(host) : std::nullopt;
  HostKey end{};
  const std::optional<std::size_t> after = parse_groups(text.substr(gap + 2), end);
  if (!after || *before + *after > host.size() - 2) return std::nullopt;
  std::copy_n(end.begin(), *after, host.end() - static_cast<std::ptrdiff_t>(*after));
  return host;
}

}  // namespace

bool is_ipv4(const HostKey& host) { return std::equal(ipv4_prefix.begin(), ipv4_prefix.end(), host.begin()); }

std::optional<HostKey> parse_host_key(std::string_view address) {
  address = address.substr(0, address.find('%'));
  if (address.find(':') != address.npos) return parse_ipv6(address);
  HostKey host{};
  std::copy(ipv4_prefix.begin(), ipv4_prefix.end(), host.begin());
  return parse_ipv4(address, host) ? std::optional(host) : std::nullopt;
}

HostKey network_of(const HostKey& host) {
  HostKey network = host;
  if (!is_ipv4(host)) std::fill(network.begin() + network_bytes, network.end(), std::byte());
  return network;
}

std::string network_text(const HostKey& network) {
  std::string text;
  if (is_ipv4(network)) {
    for (std::size_t i = 12; i < 16; ++i) {
      if (i != 12) text += '.';
      text += std::to_string(std::to_integer<unsigned>(network[i]));
    }
    return text;
  }
  for (std::size_t i = 0; i < network_bytes; i += 2) {
    const unsigned group =
        std::to_integer<unsigned>(network[i]) << 8 | std::to_integer<unsigned>(network[i + 1]);
    char digits[5];
    text.append(digits, std::to_chars(digits, digits + sizeof digits, group, 16).ptr);
    text += ':';
  }
  return text + ':';
}

}  // namespace escapement
