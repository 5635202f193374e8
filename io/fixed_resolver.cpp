#include <escapement/io/fixed_resolver.h>

namespace escapement {

namespace detail {

Result<Resolved> of_family(const std::vector<SocketAddress>& addresses, std::uint16_t port,
                           AddressFamily family, std::string_view host) {
  const int wanted = family == AddressFamily::v4 ? AF_INET : AF_INET6;
  Resolved found;
  found.ttl = Duration::max();
  for (SocketAddress address : addresses) {
    address.set_port(port);
    if (address.family() == wanted) found.addresses.push_back(address);
  }
  if (found.addresses.empty()) return resolve_error(Fault::no_address, host);
  return found;
}

std::optional<Result<Resolved>> literal_answer(std::string_view host, std::uint16_t port,
                                               AddressFamily family) {
  const std::optional<SocketAddress> literal = SocketAddress::literal(host, port);
  if (!literal) return std::nullopt;
  return of_family({*literal}, port, family, host);
}

}  // namespace detail

Result<> FixedResolver::add(std::string_view host, std::string_view address) {
  const std::optional<SocketAddress> literal = SocketAddress::literal(address, 0);
  if (!literal) return Error(Errc::invalid_argument, '"' + std::string(address) + "\" is no literal address");
  table_.add(host, *literal);
  return {};
}

Task<Resolved> FixedResolver::lookup(std::string host, std::uint16_t port, AddressFamily family) {
  std::optional<Result<Resolved>> literal = detail::literal_answer(host, port, family);
  if (literal) co_return *std::move(literal);
  const std::vector<SocketAddress>* addresses = table_.find(host);
  if (addresses == nullptr) co_return detail::resolve_error(Fault::no_such_host, host);
  co_return detail::of_family(*addresses, port, family, host);
}

}  // namespace escapement
