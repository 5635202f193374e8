// NoProxy: the hosts that are reached without a proxy, as the variable no_proxy names them.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/host_key.h>

namespace escapement::http {

// A list, separated by commas or spaces, as curl reads it, and with ports as well:
//
//     example.com       the host, and every name below it; so do ".example.com" and "*.example.com"
//     example.com:8080  the same, at that port only
//     10.0.0.1          an address; [::1] and ::1 for IPv6, [::1]:8080 with a port
//     10.0.0.0/8        addresses that begin with so many bits; also fd00::/8
//     *                 every host
//
// Names are compared ignoring case and a trailing dot, and never looked up: an address is matched only by
// addresses. What is none of these matches nothing.
class NoProxy {
 public:
  // Makes a list of nothing.
  NoProxy() = default;
  // Reads a list, of at most 64 KiB; what follows is ignored.
  explicit NoProxy(std::string_view list);

  // Returns whether `host` (a name, or an address without brackets) at `port` is on the list.
  bool matches(std::string_view host, std::uint16_t port) const;

 private:
  struct Entry {
    std::string name;   // lower case, without a dot at either end; empty: an address
    HostKey address{};  // its first `bits` bits count
    int bits = 0;
    std::uint16_t port = 0;  // 0: any
  };
  void add(std::string_view entry);

  bool all_ = false;
  std::vector<Entry> entries_;
};

}  // namespace escapement::http
