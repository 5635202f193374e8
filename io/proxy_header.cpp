#include <escapement/io/proxy_header.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include <escapement/core/detail/number.h>

namespace escapement {

namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view first_word = "PROXY ";
constexpr std::size_t line_max = 107;        // section 2.1
constexpr std::size_t fixed_size = 16;       // signature, command, transport, length
constexpr std::size_t unix_path_size = 108;  // section 2.2
constexpr std::size_t rest_max = 65'535;
constexpr unsigned char version_2 = 0x20;
constexpr unsigned char command_local = 0;
constexpr unsigned char command_proxy = 1;

Error malformed(const std::string& why) { return Error(Errc::bad_message, "no PROXY header: " + why); }
Error wrong(const std::string& why) { return Error(Errc::invalid_argument, "PROXY header: " + why); }

std::string ipv4_text(const HostKey& host) {
  std::string text;
  for (std::size_t i = 12; i < 16; ++i) {
    if (i != 12) text += '.';
    text += std::to_string(std::to_integer<unsigned>(host[i]));
  }
  return text;
}

// RFC 5952: the longest run of two or more zero groups becomes "::".
std::string ipv6_text(const HostKey& host) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = std::to_integer<unsigned>(host[2 * i]) << 8 | std::to_integer<unsigned>(host[2 * i + 1]);
  }
  std::size_t gap = 8;
  std::size_t gap_length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > gap_length) {
      gap = i;
      gap_length = length;
    }
  }
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      text += "::";
      i += gap_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char digits[4];
    text.append(digits, std::to_chars(digits, digits + sizeof digits, groups[i], 16).ptr);
  }
  return text;
}

std::string host_text(const HostKey& host) { return is_ipv4(host) ? ipv4_text(host) : ipv6_text(host); }

// --- Version 1

std::optional<HostKey> parse_host(std::string_view text, bool v6) {
  if (text.find('%') != text.npos) return std::nullopt;
  std::optional<HostKey> host = parse_host_key(text);
  if (!host) return std::nullopt;
  const bool has_colon = text.find(':') != text.npos;
  if (has_colon != v6 || (!v6 && ipv4_text(*host) != text)) return std::nullopt;
  return host;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return parse_number<std::uint16_t>(text);
}

Result<ProxyHeader> parse_line(std::string_view line) {
  ProxyHeader header;
  header.version = 1;
  line.remove_prefix(first_word.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return header;  // the rest does not matter
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) {
    const std::size_t space = line.find(' ');
    if ((&word == &words.back()) != (space == line.npos)) return malformed("the line has not six words");
    word = line.substr(0, space);
    line.remove_prefix(std::min(line.size(), word.size() + 1));
  }
  const bool v6 = words[0] == "TCP6";
  if (!v6 && words[0] != "TCP4") return malformed("the protocol is none of TCP4, TCP6 and UNKNOWN");
  header.transport = v6 ? ProxyTransport::tcp6 : ProxyTransport::tcp4;
  const std::optional<HostKey> source = parse_host(words[1], v6);
  const std::optional<HostKey> destination = parse_host(words[2], v6);
  if (!source || !destination) return malformed("an address is not one of its protocol");
  const std::optional<std::uint16_t> source_port = parse_port(words[3]);
  const std::optional<std::uint16_t> destination_port = parse_port(words[4]);
  if (!source_port || !destination_port) return malformed("a port is not a number from 0 to 65535");
  header.source = ProxyAddress(*source, *source_port);
  header.destination = ProxyAddress(*destination, *destination_port);
  return header;
}

Result<std::optional<ProxyHeader>> parse_1(std::string_view text, std::size_t bytes_max, std::size_t& size) {
  const std::size_t most = std::min(bytes_max, line_max);
  const std::size_t end = text.substr(0, most).find("\r\n");
  if (end == text.npos) {
    if (text.size() < most) return std::optional<ProxyHeader>();
    return Error(Errc::limit_exceeded, "a PROXY header of more than " + std::to_string(most) + " bytes");
  }
  Result<ProxyHeader> header = parse_line(text.substr(0, end));
  if (!header) return std::move(header).error();
  size = end + 2;
  return std::optional<ProxyHeader>(*std::move(header));
}

// --- Version 2

unsigned char byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }
std::uint16_t number_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(text, at) << 8 | byte_at(text, at + 1));
}

void put_number(std::string& text, std::size_t number) {
  text += static_cast<char>(number >> 8 & 255);
  text += static_cast<char>(number & 255);
}

// The code of each transport: address family and protocol.
struct TransportCode {
  ProxyTransport transport;
  unsigned char code;
  std::size_t host_size;  // in bytes; of Unix sockets, the path
};
constexpr TransportCode transport_codes[] = {
    {ProxyTransport::unspecified, 0x00, 0},
    {ProxyTransport::tcp4, 0x11, 4},
    {ProxyTransport::udp4, 0x12, 4},
    {ProxyTransport::tcp6, 0x21, 16},
    {ProxyTransport::udp6, 0x22, 16},
    {ProxyTransport::unix_stream, 0x31, unix_path_size},
    {ProxyTransport::unix_datagram, 0x32, unix_path_size},
};

const TransportCode& code_of(ProxyTransport transport) {
  for (const TransportCode& each : transport_codes) {
    if (each.transport == transport) return each;
  }
  return transport_codes[0];
}

bool is_unix(ProxyTransport transport) {
  return transport == ProxyTransport::unix_stream || transport == ProxyTransport::unix_datagram;
}

// Returns the size of both addresses.
std::size_t addresses_size(const TransportCode& code) {
  if (code.host_size == 0) return 0;
  return 2 * code.host_size + (is_unix(code.transport) ? 0 : 4);
}

HostKey host_of(std::string_view bytes) {
  HostKey host{};
  if (bytes.size() == 4) host[10] = host[11] = std::byte{0xff};
  std::memcpy(host.data() + host.size() - bytes.size(), bytes.data(), bytes.size());
  return host;
}

void parse_addresses(std::string_view rest, const TransportCode& code, ProxyHeader& header) {
  const std::string_view first = rest.substr(0, code.host_size);
  const std::string_view second = rest.substr(code.host_size, code.host_size);
  if (is_unix(code.transport)) {
    header.source.path = first.substr(0, first.find('\0'));
    header.destination.path = second.substr(0, second.find('\0'));
  } else if (code.host_size != 0) {
    header.source = ProxyAddress(host_of(first), number_at(rest, 2 * code.host_size));
    header.destination = ProxyAddress(host_of(second), number_at(rest, 2 * code.host_size + 2));
  }
}

// CRC-32C (RFC 3720 appendix B.4), of `bytes` with the four at `zeroed` as zeros.
std::uint32_t checksum(std::string_view bytes, std::size_t zeroed) {
  constexpr std::uint32_t polynomial = 0x82f63b78;
  std::uint32_t sum = ~std::uint32_t{0};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum ^= i >= zeroed && i < zeroed + 4 ? 0 : byte_at(bytes, i);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? polynomial : 0);
  }
  return ~sum;
}

std::string checksum_bytes(std::string_view bytes, std::size_t zeroed) {
  const std::uint32_t sum = checksum(bytes, zeroed);
  std::string text;
  put_number(text, sum >> 16);
  put_number(text, sum & 0xffff);
  return text;
}

Result<> parse_tlvs(std::string_view whole, std::size_t at, ProxyHeader& header) {
  while (at < whole.size()) {
    if (whole.size() - at < 3) return malformed("a TLV is cut off");
    const std::size_t length = number_at(whole, at + 1);
    if (whole.size() - at - 3 < length) return malformed("a TLV is longer than the header");
    ProxyTlv tlv(byte_at(whole, at), std::string(whole.substr(at + 3, length)));
    if (tlv.type == ProxyTlv::crc32c && (length != 4 || tlv.value != checksum_bytes(whole, at + 3))) {
      return malformed("the checksum is wrong");
    }
    header.tlvs.push_back(std::move(tlv));
    at += 3 + length;
  }
  return {};
}

Result<std::optional<ProxyHeader>> parse_2(std::string_view text, std::size_t bytes_max, std::size_t& size) {
  if (text.size() < fixed_size) return std::optional<ProxyHeader>();
  const unsigned char command = byte_at(text, 12);
  if ((command & 0xf0) != version_2) return malformed("the version is not 2");
  if ((command & 0x0f) > command_proxy) return malformed("the command is neither LOCAL nor PROXY");
  const std::size_t whole = fixed_size + number_at(text, 14);
  if (whole > bytes_max) {
    return Error(Errc::limit_exceeded, "a PROXY header of " + std::to_string(whole) + " bytes, of at most " +
                                           std::to_string(bytes_max));
  }
  const auto* code = std::find_if(std::begin(transport_codes), std::end(transport_codes),
                                  [&](const TransportCode& each) { return each.code == byte_at(text, 13); });
  ProxyHeader header;
  header.local = (command & 0x0f) == command_local;
  if (code == std::end(transport_codes)) {
    if (!header.local) return malformed("the transport is unknown");
    code = transport_codes;
  }
  if (text.size() < whole) return std::optional<ProxyHeader>();
  text = text.substr(0, whole);
  size = whole;
  if (header.local) return std::optional<ProxyHeader>(std::move(header));  // the rest is discarded
  header.transport = code->transport;
  if (whole - fixed_size < addresses_size(*code)) return malformed("the addresses are cut off");
  parse_addresses(text.substr(fixed_size), *code, header);
  Result<> parsed = parse_tlvs(text, fixed_size + addresses_size(*code), header);
  if (!parsed) return std::move(parsed).error();
  return std::optional<ProxyHeader>(std::move(header));
}

// --- Writing

Result<> check_addresses(const ProxyHeader& header) {
  if (!header.names_client()) return {};
  const bool v4 = header.transport == ProxyTransport::tcp4 || header.transport == ProxyTransport::udp4;
  for (const ProxyAddress* address : {&header.source, &header.destination}) {
    if (is_unix(header.transport)) {
      if (address->path.size() > unix_path_size) return wrong("a path is longer than 108 bytes");
    } else if (v4 != is_ipv4(address->host)) {
      return wrong(address->text() + " is no address of the header's transport");
    }
  }
  return {};
}

Result<std::string> bytes_1(const ProxyHeader& header) {
  if (!header.tlvs.empty()) return wrong("version 1 has no TLVs");
  if (!header.names_client()) return std::string("PROXY UNKNOWN\r\n");
  const bool v6 = header.transport == ProxyTransport::tcp6;
  if (!v6 && header.transport != ProxyTransport::tcp4) return wrong("version 1 knows only TCP");
  std::string text(v6 ? "PROXY TCP6 " : "PROXY TCP4 ");
  text += host_text(header.source.host) + ' ' + host_text(header.destination.host) + ' ';
  text += std::to_string(header.source.port) + ' ' + std::to_string(header.destination.port) + "\r\n";
  return text;
}

void put_addresses(std::string& text, const ProxyHeader& header, const TransportCode& code) {
  if (code.host_size == 0) return;
  for (const ProxyAddress* address : {&header.source, &header.destination}) {
    const std::string_view host(reinterpret_cast<const char*>(address->host.data()), address->host.size());
    std::string field(is_unix(code.transport) ? address->path : host.substr(host.size() - code.host_size));
    field.resize(code.host_size);
    text += field;
  }
  if (is_unix(code.transport)) return;
  put_number(text, header.source.port);
  put_number(text, header.destination.port);
}

Result<std::string> bytes_2(const ProxyHeader& header) {
  const TransportCode& code = code_of(header.local ? ProxyTransport::unspecified : header.transport);
  std::string text(signature);
  text += static_cast<char>(version_2 | (header.local ? command_local : command_proxy));
  text += static_cast<char>(code.code);
  put_number(text, 0);
  put_addresses(text, header, code);
  std::optional<std::size_t> checksum_at;
  for (const ProxyTlv& tlv : header.tlvs) {
    if (tlv.value.size() > rest_max) return wrong("a TLV is longer than 65535 bytes");
    text += static_cast<char>(tlv.type);
    const bool summed = tlv.type == ProxyTlv::crc32c;
    put_number(text, summed ? 4 : tlv.value.size());
    if (summed) checksum_at = text.size();
    text += summed ? std::string(4, '\0') : tlv.value;
  }
  if (text.size() - fixed_size > rest_max) return wrong("it is longer than 65535 bytes");
  std::string length;
  put_number(length, text.size() - fixed_size);
  text.replace(14, 2, length);
  if (checksum_at) text.replace(*checksum_at, 4, checksum_bytes(text, *checksum_at));
  return text;
}

}  // namespace

std::string ProxyAddress::text() const {
  if (!path.empty()) return "unix:" + path;
  const std::string end = ':' + std::to_string(port);
  return is_ipv4(host) ? ipv4_text(host) + end : '[' + ipv6_text(host) + ']' + end;
}

const std::string* ProxyHeader::find(std::uint8_t type) const {
  for (const ProxyTlv& tlv : tlvs) {
    if (tlv.type == type) return &tlv.value;
  }
  return nullptr;
}

Result<std::optional<ProxyHeader>> parse_proxy_header(Bytes bytes, std::size_t bytes_max, std::size_t& size) {
  const std::string_view text = as_text(bytes);
  const auto begins = [text](std::string_view with) {
    const std::size_t common = std::min(text.size(), with.size());
    return text.substr(0, common) == with.substr(0, common);
  };
  if (begins(signature)) return parse_2(text, bytes_max, size);
  if (begins(first_word)) return parse_1(text, bytes_max, size);
  return malformed("the connection begins with something else");
}

Result<std::string> proxy_header_bytes(const ProxyHeader& header) {
  if (Result<> checked = check_addresses(header); !checked) return std::move(checked).error();
  if (header.version == 1) return bytes_1(header);
  if (header.version == 2) return bytes_2(header);
  return wrong("there is no version " + std::to_string(header.version));
}

}  // namespace escapement
