#include <escapement/io/network_by_host.h>

#include <utility>

#include <escapement/core/detail/ascii.h>

namespace escapement {

void NetworkByHost::add(std::string_view host, Network& network) { networks_[lower(host)] = &network; }

Network& NetworkByHost::of(std::string_view host) const {
  const auto at = networks_.find(lower(host));
  return at == networks_.end() ? fallback_ : *at->second;
}

Task<std::unique_ptr<Stream>> NetworkByHost::connect(std::string host, std::uint16_t port) {
  Network& network = of(host);
  return network.connect(std::move(host), port);
}

Task<std::unique_ptr<Stream>> NetworkByHost::connect_within(Duration limit, std::string host,
                                                            std::uint16_t port) {
  Network& network = of(host);
  return network.connect_within(limit, std::move(host), port);
}

Result<std::unique_ptr<Listener>> NetworkByHost::listen(std::string_view address) {
  return fallback_.listen(address);
}

}  // namespace escapement
