// The order of destination addresses: the examples of RFC 6724 section 10.2, and what else a host meets.

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <string>
#include <vector>

#include <escapement/io/address_selection.h>

using namespace escapement;

namespace {

// Sorts addresses, each with the source that the host would use ("" for none), and joins them.
std::string sorted(const std::vector<std::pair<std::string, std::string>>& given) {
  std::map<std::string, std::string> sources;
  std::vector<SocketAddress> addresses;
  for (const auto& [address, source] : given) {
    sources[address] = source;
    addresses.push_back(*SocketAddress::literal(address, 80));
  }
  sort_addresses(addresses, [&](const SocketAddress& destination) {
    return SocketAddress::literal(sources.at(destination.host_text()), 0);
  });
  std::string text;
  for (const SocketAddress& address : addresses) text += (text.empty() ? "" : " ") + address.host_text();
  return text;
}

}  // namespace

TEST_CASE("address selection: the examples of RFC 6724") {
  const std::string six = "2001:db8:1::1";
  CHECK(sorted({{"198.51.100.121", "169.254.13.78"}, {six, "2001:db8:1::2"}}) == six + " 198.51.100.121");
  CHECK(sorted({{six, "fe80::1"}, {"198.51.100.121", "198.51.100.117"}}) == "198.51.100.121 " + six);
  CHECK(sorted({{"10.1.2.3", "10.1.2.4"}, {six, "2001:db8:1::2"}}) == six + " 10.1.2.3");
  CHECK(sorted({{six, "2001:db8:1::2"}, {"fe80::1", "fe80::2"}}) == "fe80::1 " + six);
  const std::string six_to_four = "2002:c633:6401::1";
  CHECK(sorted({{six, "2002:c633:6401::2"}, {six_to_four, "2002:c633:6401::2"}}) == six_to_four + ' ' + six);
  CHECK(sorted({{six_to_four, "2002:c633:6401::2"}, {six, "2001:db8:1::2"}}) == six + ' ' + six_to_four);
}

TEST_CASE("address selection: what cannot be reached comes last, whatever else it is") {
  CHECK(sorted({{"2001:db8::1", ""}, {"10.0.0.1", "10.0.0.2"}}) == "10.0.0.1 2001:db8::1");
  CHECK(sorted({{"::1", ""}, {"127.0.0.1", "127.0.0.1"}}) == "127.0.0.1 ::1");
  CHECK(sorted({{"10.0.0.1", ""}, {"10.0.0.2", ""}}) == "10.0.0.1 10.0.0.2");
}

TEST_CASE("address selection: a tunnel is worse than IPv4, and so are addresses of a site alone") {
  CHECK(sorted({{"2001::1", "2001::2"}, {"192.0.2.1", "192.0.2.2"}}) == "192.0.2.1 2001::1");  // Teredo
  CHECK(sorted({{"2002::1", "2002::2"}, {"192.0.2.1", "192.0.2.2"}}) == "192.0.2.1 2002::1");  // 6to4
  CHECK(sorted({{"fd00::1", "fd00::2"}, {"192.0.2.1", "192.0.2.2"}}) == "192.0.2.1 fd00::1");  // unique local
  CHECK(sorted({{"fec0::1", "fec0::2"}, {"192.0.2.1", "192.0.2.2"}}) == "192.0.2.1 fec0::1");  // site-local
  CHECK(sorted({{"3ffe::1", "3ffe::2"}, {"192.0.2.1", "192.0.2.2"}}) == "192.0.2.1 3ffe::1");  // 6bone
  CHECK(sorted({{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "fd00::2"}}) == "192.0.2.1 2001:db8::1");
  CHECK(sorted({{"2001:db8::1", "fd00::2"}, {"fd00::1", "fd00::2"}}) == "fd00::1 2001:db8::1");
}

TEST_CASE("address selection: of two IPv6 addresses the nearer one, within 64 bits; IPv4 stays as it came") {
  CHECK(sorted({{"2001:db8:2::1", "2001:db8:1::9"}, {"2001:db8:1::1", "2001:db8:1::9"}}) ==
        "2001:db8:1::1 2001:db8:2::1");
  CHECK(sorted({{"2001:db8::8000:1", "2001:db8::9"}, {"2001:db8::1", "2001:db8::9"}}) ==
        "2001:db8::8000:1 2001:db8::1");
  CHECK(sorted({{"192.0.2.200", "192.0.2.1"}, {"192.0.2.3", "192.0.2.1"}, {"10.0.0.1", "192.0.2.1"}}) ==
        "192.0.2.200 192.0.2.3 10.0.0.1");
}

TEST_CASE("address selection: without a source to go by, and of one address, nothing is asked") {
  std::vector<SocketAddress> addresses = {*SocketAddress::literal("10.0.0.1", 1),
                                          *SocketAddress::literal("::1", 1)};
  sort_addresses(addresses, nullptr);
  CHECK(addresses.front().host_text() == "10.0.0.1");
  int asked = 0;
  const SourceAddress count = [&](const SocketAddress&) {
    ++asked;
    return std::optional<SocketAddress>();
  };
  addresses.pop_back();
  sort_addresses(addresses, count);
  addresses.clear();
  sort_addresses(addresses, count);
  CHECK(asked == 0);
}
