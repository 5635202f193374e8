// FixedResolver: a Resolver that knows a table and nothing else.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <escapement/io/hosts_table.h>
#include <escapement/io/resolver.h>

namespace escapement {

// For tests, and for programs that know where their services are. Literal addresses are their own; every name
// that is not in the table is not_found (Fault::no_such_host).
class FixedResolver final : public Resolver {
 public:
  // Starts with a table, such as HostsTable::parse of a file.
  explicit FixedResolver(HostsTable table = HostsTable()) : table_(std::move(table)) {}

  // Adds an address (a literal one, without brackets) to a name. Fails with invalid_argument.
  Result<> add(std::string_view host, std::string_view address);

  Task<Resolved> lookup(std::string host, std::uint16_t port, AddressFamily family) override;

 private:
  HostsTable table_;
};

namespace detail {

// Returns those of one family, each with `port`; an error if there are none.
Result<Resolved> of_family(const std::vector<SocketAddress>& addresses, std::uint16_t port,
                           AddressFamily family, std::string_view host);
// Returns the answer for a literal address; nothing if `host` is none.
std::optional<Result<Resolved>> literal_answer(std::string_view host, std::uint16_t port,
                                               AddressFamily family);

}  // namespace detail

}  // namespace escapement
