// HostsTable: names and their addresses, as /etc/hosts has them.
//
// Source: hosts(5).

#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/address.h>

namespace escapement {

class HostsTable {
 public:
  // Reads lines of an address and the names for it; "#" begins a comment. Skips lines that begin with no
  // address, as the system does.
  static HostsTable parse(std::string_view text);

  // Adds an address, without a port, to a name.
  void add(std::string_view host, const SocketAddress& address);
  // Returns the addresses of a name, ignoring case and a trailing dot, in the order in which they were added;
  // null if the name is not there. Valid until the table changes.
  const std::vector<SocketAddress>* find(std::string_view host) const;
  // Returns the number of names.
  std::size_t size() const { return names_.size(); }

 private:
  std::map<std::string, std::vector<SocketAddress>, std::less<>> names_;  // lower case
};

}  // namespace escapement
