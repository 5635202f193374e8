#include <escapement/io/sim/resolver.h>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/check.h>
#include <escapement/io/fixed_resolver.h>
#include <escapement/timers/sleep.h>

namespace escapement {

void SimResolver::set(std::string_view host, AddressFamily family, SimAnswer answer) {
  ESC_CHECK(family != AddressFamily::any);
  for (const std::string& address : answer.addresses)
    ESC_CHECK(SocketAddress::literal(address, 0).has_value());
  answers_.insert_or_assign({lower(host), family}, std::move(answer));
}

void SimResolver::remove(std::string_view host) {
  answers_.erase({lower(host), AddressFamily::v4});
  answers_.erase({lower(host), AddressFamily::v6});
}

Task<Resolved> SimResolver::lookup(std::string host, std::uint16_t port, AddressFamily family) {
  std::optional<Result<Resolved>> literal = detail::literal_answer(host, port, family);
  if (literal) co_return *std::move(literal);
  ++questions_;
  const AddressFamily other = family == AddressFamily::v4 ? AddressFamily::v6 : AddressFamily::v4;
  const auto at = answers_.find({lower(host), family});
  if (at == answers_.end()) {
    const bool known = answers_.contains({lower(host), other});
    co_return detail::resolve_error(known ? Fault::no_address : Fault::no_such_host, host);
  }
  const SimAnswer answer = at->second;
  if (answer.delay > Duration()) co_await sleep(answer.delay);
  if (answer.fault != Fault::none) co_return detail::resolve_error(answer.fault, host);
  std::vector<SocketAddress> addresses;
  for (const std::string& address : answer.addresses)
    addresses.push_back(*SocketAddress::literal(address, port));
  Result<Resolved> found = detail::of_family(addresses, port, family, host);
  if (found) found->ttl = answer.ttl;
  co_return std::move(found);
}

Task<ResolverAnswer> SimResolver::answer(std::string host, std::uint16_t port, AddressFamily family) {
  std::optional<Duration> negative_ttl;
  const auto at = answers_.find({lower(host), family});
  if (at != answers_.end()) negative_ttl = at->second.negative_ttl;
  Result<Resolved> found = co_await lookup(std::move(host), port, family).result();
  co_return ResolverAnswer(std::move(found), negative_ttl);
}

}  // namespace escapement
