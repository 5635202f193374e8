// The format of the PROXY protocol's header, with the examples of its specification.

#include <escapement/io/proxy_header.h>

#include <catch2/catch_test_macros.hpp>

using namespace escapement;

namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

Result<std::optional<ProxyHeader>> parse(std::string_view text, std::size_t& size, std::size_t most = 4096) {
  return parse_proxy_header(as_bytes(text), most, size);
}

// A header that must parse, in whole, and ask for more at each shorter length.
ProxyHeader good(const std::string& text, std::size_t behind = 0) {
  CAPTURE(text);
  std::size_t size = 0;
  Result<std::optional<ProxyHeader>> parsed = parse(text, size);
  REQUIRE(parsed);
  REQUIRE(*parsed);
  CHECK(size == text.size() - behind);
  for (std::size_t length = 0; length < size; ++length) {
    std::size_t unset = 12345;
    Result<std::optional<ProxyHeader>> part = parse(std::string_view(text).substr(0, length), unset);
    REQUIRE(part);
    CHECK(!*part);
    CHECK(unset == 12345);
  }
  return **parsed;
}

void bad(const std::string& text, Errc kind = Errc::bad_message) {
  CAPTURE(text);
  std::size_t size = 0;
  Result<std::optional<ProxyHeader>> parsed = parse(text, size);
  REQUIRE(!parsed);
  CHECK(parsed.error() == kind);
}

// The bytes behind signature, command, transport and length.
std::string version_2(int command, int transport, const std::string& rest) {
  return std::string(signature) +
         bytes(
             {command, transport, static_cast<int>(rest.size() >> 8), static_cast<int>(rest.size() & 255)}) +
         rest;
}

const std::string v4_addresses = bytes({192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb});

}  // namespace

TEST_CASE("proxy header: the lines of version 1 in the specification") {
  // Section 2.1: the longest ones, and one of the examples of section 2.1's end.
  ProxyHeader header = good("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
  CHECK(header.version == 1);
  CHECK(header.transport == ProxyTransport::tcp4);
  CHECK(header.source.text() == "255.255.255.255:65535");
  CHECK(header.names_client());
  header = good(
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
  CHECK(header.transport == ProxyTransport::tcp6);
  CHECK(header.destination.text() == "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  header = good("PROXY UNKNOWN\r\n");
  CHECK(!header.names_client());
  header = good(
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
  CHECK(!header.names_client());
  header = good("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n", 16);
  CHECK(header.source.text() == "192.168.0.1:56324");
  CHECK(header.destination.text() == "192.168.0.11:443");
  CHECK(good("PROXY TCP6 ::1 2001:db8::5:0:0:1 0 1\r\n").destination.text() == "[2001:db8::5:0:0:1]:1");
}

TEST_CASE("proxy header: lines that are none of version 1") {
  for (const char* line : {"GET / HTTP/1.1\r\n",
                           "PROXY\r\n",
                           "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
                           "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
                           "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
                           "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n",
                           "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
                           "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
                           "PROXY TCP4 ::1 ::2 1 2\r\n",
                           "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
                           "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 1 x\r\n",
                           "PROXY TCP4 host 2.2.2.2 1 2\r\n",
                           "PROXY UNKNOWNX\r\n",
                           "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
                           "X",
                           "PX",
                           "\r\nP",
                           "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\nX\r\n"}) {
    bad(line);
  }
  bad("PROXY UNKNOWN " + std::string(200, 'x'), Errc::limit_exceeded);
  bad("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", Errc::limit_exceeded);  // 108 bytes
  good("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n");                       // 107 bytes
  std::size_t size = 0;
  CHECK(parse("PROXY UNKNOWN\r\n", size, 14).error() == Errc::limit_exceeded);
}

TEST_CASE("proxy header: version 2, each transport") {
  ProxyHeader header = good(version_2(0x21, 0x11, v4_addresses));
  CHECK(header.version == 2);
  CHECK(header.transport == ProxyTransport::tcp4);
  CHECK(header.source.text() == "192.0.2.1:56324");
  CHECK(header.destination.text() == "198.51.100.2:443");
  CHECK(good(version_2(0x21, 0x12, v4_addresses)).transport == ProxyTransport::udp4);
  const std::string v6 = std::string(15, '\0') + '\1' + std::string(15, '\0') + '\2' + bytes({0, 80, 0, 81});
  header = good(version_2(0x21, 0x21, v6) + "behind", 6);
  CHECK(header.transport == ProxyTransport::tcp6);
  CHECK(header.source.text() == "[::1]:80");
  CHECK(header.destination.text() == "[::2]:81");
  CHECK(good(version_2(0x21, 0x22, v6)).transport == ProxyTransport::udp6);
  std::string paths = "/run/client";
  paths.resize(108);
  paths += "/run/server";
  paths.resize(216);
  header = good(version_2(0x21, 0x31, paths));
  CHECK(header.transport == ProxyTransport::unix_stream);
  CHECK(header.source.text() == "unix:/run/client");
  CHECK(header.destination.text() == "unix:/run/server");
  CHECK(good(version_2(0x21, 0x32, paths)).transport == ProxyTransport::unix_datagram);
  header = good(version_2(0x21, 0x00, ""));
  CHECK(!header.local);
  CHECK(!header.names_client());
  // LOCAL: whatever follows is skipped.
  for (const int transport : {0x00, 0x11, 0x77}) {
    header = good(version_2(0x20, transport, "whatever it is") + "behind", 6);
    CHECK(header.local);
    CHECK(!header.names_client());
    CHECK(header.tlvs.empty());
  }
}

TEST_CASE("proxy header: TLVs are kept in order, and a checksum is checked") {
  const std::string tlvs = bytes({0x01, 0, 2}) + "h2" + bytes({0x02, 0, 6}) + "a.test" + bytes({0x04, 0, 0}) +
                           bytes({0xea, 0, 3}) + "vpc";
  ProxyHeader header = good(version_2(0x21, 0x11, v4_addresses + tlvs));
  REQUIRE(header.tlvs.size() == 4);
  REQUIRE(header.find(ProxyTlv::alpn) != nullptr);
  CHECK(*header.find(ProxyTlv::alpn) == "h2");
  CHECK(*header.find(ProxyTlv::authority) == "a.test");
  CHECK(header.tlvs[3].type == 0xea);
  CHECK(header.find(ProxyTlv::ssl) == nullptr);
  for (const std::string& wrong : {std::string("\1"), std::string("\1\0", 2), bytes({1, 0, 5}) + "four"}) {
    bad(version_2(0x21, 0x11, v4_addresses + wrong));
  }
  // The checksum, filled in by the writer.
  header.tlvs.emplace_back(ProxyTlv::crc32c, std::string());
  std::string summed = *proxy_header_bytes(header);
  CHECK(good(summed).find(ProxyTlv::crc32c)->size() == 4);
  for (std::size_t at = 16; at < 28; ++at) {
    std::string damaged = summed;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    bad(damaged);
  }
  bad(version_2(0x21, 0x11, v4_addresses + bytes({3, 0, 3, 1, 2, 3})));
}

TEST_CASE("proxy header: the checksum is CRC-32C") {
  // The value that an implementation in Python gives, which agrees with RFC 3720 appendix B.4.
  ProxyHeader header;
  header.tlvs.emplace_back(ProxyTlv::crc32c, std::string());
  const std::string text = *proxy_header_bytes(header);
  CHECK(text.substr(0, 19) == std::string(signature) + bytes({0x21, 0, 0, 7, 3, 0, 4}));
  CHECK(text.substr(19) == bytes({0x3e, 0xc9, 0x89, 0x4e}));
}

TEST_CASE("proxy header: what is no header of version 2") {
  bad(version_2(0x11, 0x11, v4_addresses));            // version
  bad(version_2(0x22, 0x11, v4_addresses));            // command
  bad(version_2(0x21, 0x13, v4_addresses));            // protocol
  bad(version_2(0x21, 0x41, v4_addresses));            // family
  bad(version_2(0x21, 0x10, v4_addresses));            // half unspecified
  bad(version_2(0x21, 0x11, v4_addresses.substr(1)));  // addresses cut off
  bad(version_2(0x21, 0x21, v4_addresses));            // those of the other family
  bad(version_2(0x21, 0x31, std::string(215, 'p')));   // a path cut off
  bad(std::string("\r\n\r\n\0\r\nQUIX\n", 12));        // signature
  bad(version_2(0x21, 0x11, std::string(4081, 'x')), Errc::limit_exceeded);
  std::size_t size = 0;
  const std::string longest = version_2(0x21, 0x00, bytes({4, 0xff, 0xfc}) + std::string(65'532, 'x'));
  CHECK((**parse(longest, size, 65'551)).tlvs.size() == 1);
  CHECK(parse(longest, size, 65'550).error() == Errc::limit_exceeded);
}

TEST_CASE("proxy header: what was written is read back, in both versions") {
  for (const ProxyTransport transport :
       {ProxyTransport::unspecified, ProxyTransport::tcp4, ProxyTransport::udp4, ProxyTransport::tcp6,
        ProxyTransport::udp6, ProxyTransport::unix_stream, ProxyTransport::unix_datagram}) {
    for (const bool local : {false, true}) {
      for (const int version : {1, 2}) {
        ProxyHeader header;
        header.version = version;
        header.local = local;
        header.transport = transport;
        const bool v6 = transport == ProxyTransport::tcp6 || transport == ProxyTransport::udp6;
        header.source = ProxyAddress(*parse_host_key(v6 ? "2001:db8::1" : "192.0.2.1"), 1234);
        header.destination = ProxyAddress(*parse_host_key(v6 ? "::" : "0.0.0.0"), 65'535);
        if (transport >= ProxyTransport::unix_stream) {
          header.source.path = '/' + std::string(107, 'p');
          header.destination.path = "/s";
        }
        const bool can = version == 2 || !header.names_client() || transport == ProxyTransport::tcp4 ||
                         transport == ProxyTransport::tcp6;
        Result<std::string> text = proxy_header_bytes(header);
        CHECK(static_cast<bool>(text) == can);
        if (!can) continue;
        const ProxyHeader read = good(*text);
        CHECK(read.version == version);
        CHECK(read.names_client() == header.names_client());
        CHECK(read.local == (version == 2 && local));
        if (!header.names_client()) continue;
        CHECK(read.transport == transport);
        CHECK(read.source.text() == header.source.text());
        CHECK(read.destination.text() == header.destination.text());
      }
    }
  }
}

TEST_CASE("proxy header: what cannot be written says why") {
  ProxyHeader header;
  header.transport = ProxyTransport::tcp4;
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);  // "::" is no IPv4 address
  header.source = header.destination = ProxyAddress(*parse_host_key("192.0.2.1"), 1);
  CHECK(*proxy_header_bytes(header) != "");
  header.transport = ProxyTransport::tcp6;
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);
  header.transport = ProxyTransport::tcp4;
  header.version = 3;
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);
  header.version = 1;
  CHECK(*proxy_header_bytes(header) == "PROXY TCP4 192.0.2.1 192.0.2.1 1 1\r\n");
  header.tlvs.emplace_back(ProxyTlv::alpn, "h2");
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);
  header.version = 2;
  header.tlvs.emplace_back(std::uint8_t{0xe0}, std::string(65'535, 'x'));
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);
  header.tlvs.back().value += 'x';
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);
  header.tlvs.clear();
  header.transport = ProxyTransport::unix_stream;
  header.source.path.assign(109, 'p');
  CHECK(proxy_header_bytes(header).error() == Errc::invalid_argument);
}
