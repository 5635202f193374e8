#include <escapement/middleware/peer_address.h>

#include <vector>

namespace escapement::http {

namespace {

std::vector<std::string_view> groups(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    found.push_back(text.substr(0, colon));
    text = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  }
  return found;
}

}  // namespace

std::string peer_address(const Request& request) { return without_port(request.peer()); }

std::string without_port(std::string_view peer) {
  if (peer.starts_with('[')) return std::string(peer.substr(1, peer.find(']') - 1));
  return std::string(peer.substr(0, peer.rfind(':')));
}

std::string peer_network(const Request& request) {
  const std::string address = peer_address(request);
  if (address.find(':') == address.npos) return address;
  if (address.starts_with("::ffff:") && address.find('.') != address.npos) return address.substr(7);
  const std::size_t gap = address.find("::");
  const std::vector<std::string_view> before = groups(std::string_view(address).substr(0, gap));
  std::vector<std::string_view> after;
  if (gap != address.npos) after = groups(std::string_view(address).substr(gap + 2));
  std::string network;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t from_end = 8 - i;
    const std::string_view group = i < before.size()          ? before[i]
                                   : from_end <= after.size() ? after[after.size() - from_end]
                                                              : "0";
    (network += group) += ':';
  }
  return network + ':';
}

}  // namespace escapement::http
