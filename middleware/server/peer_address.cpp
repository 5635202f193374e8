#include <escapement/middleware/server/peer_address.h>

#include <escapement/io/host_key.h>

namespace escapement::http {

std::string peer_address(const Request& request) { return without_port(request.peer()); }

std::string without_port(std::string_view peer) {
  if (peer.starts_with('[')) return std::string(peer.substr(1, peer.find(']') - 1));
  return std::string(peer.substr(0, peer.rfind(':')));
}

std::string peer_network(const Request& request) {
  const std::string address = peer_address(request);
  const std::optional<HostKey> host = parse_host_key(address);
  return host ? network_text(network_of(*host)) : address;
}

}  // namespace escapement::http
