#include <escapement/io/socks5.h>

#include <array>
#include <span>
#include <string_view>

#include <escapement/io/host_key.h>

namespace escapement {

namespace {

constexpr std::size_t length_max = 255;
constexpr char version = 5;
constexpr char without_credentials = 0;
constexpr char by_password = 2;
constexpr char none_acceptable = '\xff';
constexpr char connect_command = 1;
enum AddressType : char { v4 = 1, name = 3, v6 = 4 };

Error refusal(Errc kind, Fault fault, std::string_view why) {
  return Error(kind, "SOCKS5 proxy: " + std::string(why)).because(fault).nothing_sent();
}
Error bad_answer(std::string_view why) { return refusal(Errc::bad_message, Fault::proxy_bad_answer, why); }

// Returns the error for a reply code (RFC 1928 section 6).
Error refusal_of(unsigned char reply) {
  switch (reply) {
    case 1: return refusal(Errc::unavailable, Fault::proxy_failed, "general failure");
    case 2: return refusal(Errc::permission_denied, Fault::proxy_refused, "its rules do not allow this");
    case 3: return refusal(Errc::unavailable, Fault::proxy_failed, "network unreachable");
    case 4: return refusal(Errc::unavailable, Fault::proxy_failed, "host unreachable");
    case 5: return refusal(Errc::unavailable, Fault::proxy_failed, "connection refused");
    case 6: return refusal(Errc::unavailable, Fault::proxy_failed, "TTL expired");
    case 7: return refusal(Errc::permission_denied, Fault::proxy_refused, "command not supported");
    case 8: return refusal(Errc::permission_denied, Fault::proxy_refused, "address type not supported");
    default: return bad_answer("unknown reply " + std::to_string(reply));
  }
}

// Reads exactly as many bytes as there is room for.
Task<> read_all(Stream& stream, std::span<char> into) {
  MutableBytes left = std::as_writable_bytes(into);
  while (!left.empty()) {
    Result<std::size_t> count = co_await stream.read(left).result();
    if (!count || *count == 0)
      co_await refusal(Errc::unavailable, Fault::proxy_closed, "it closed the connection");
    left = left.subspan(*count);
  }
}

Task<> send(Stream& stream, std::string bytes) {
  Result<> sent = co_await stream.write(as_bytes(bytes)).result();
  if (!sent) co_await refusal(Errc::unavailable, Fault::proxy_closed, "it closed the connection");
}

void append_text(std::string& to, std::string_view text) {
  to += static_cast<char>(text.size());
  to += text;
}

// Offers what we can, and does what the proxy chooses (RFC 1928 section 3, RFC 1929).
Task<> authenticate(Stream& stream, const std::optional<Socks5Credentials>& credentials) {
  std::string greeting{version, 1, without_credentials};
  if (credentials) greeting = {version, 2, without_credentials, by_password};
  co_await send(stream, std::move(greeting));
  std::array<char, 2> answer{};
  co_await read_all(stream, answer);
  if (answer[0] != version) co_await bad_answer("it does not speak SOCKS5");
  if (answer[1] == without_credentials) co_return;
  if (answer[1] == none_acceptable || (answer[1] == by_password && !credentials)) {
    co_await refusal(Errc::permission_denied, Fault::proxy_auth_required,
                     credentials ? "it accepts no password" : "it wants a user and a password");
  }
  if (answer[1] != by_password) co_await bad_answer("it chose a method that was not offered");
  std::string proof{1};
  append_text(proof, credentials->user);
  append_text(proof, credentials->password);
  co_await send(stream, std::move(proof));
  co_await read_all(stream, answer);
  if (answer[1] != 0) {
    co_await refusal(Errc::permission_denied, Fault::proxy_auth_required,
                     "it does not accept the user and password");
  }
}

// Returns the address that a host is; nullopt for a name. Only an IPv6 address may have a zone after a '%',
// which means nothing to the proxy: "127.0.0.1%21" is a name.
std::optional<HostKey> address_of(std::string_view host) {
  if (host.find(':') == host.npos && host.find('%') != host.npos) return std::nullopt;
  return parse_host_key(host);
}

std::string request_for(const std::string& host, std::uint16_t port) {
  std::string request{version, connect_command, 0};
  const std::optional<HostKey> address = address_of(host);
  if (!address) {
    request += name;
    append_text(request, host);
  } else {
    const bool is_v4 = host.find(':') == host.npos;
    request += is_v4 ? v4 : v6;
    const Bytes bytes = Bytes(*address).subspan(is_v4 ? 12 : 0);
    request += as_text(bytes);
  }
  request += static_cast<char>(port >> 8);
  request += static_cast<char>(port & 255);
  return request;
}

// Reads the reply, and the address that the proxy connects from, which is of no use.
Task<> read_reply(Stream& stream) {
  std::array<char, 4> head{};
  co_await read_all(stream, head);
  if (head[0] != version) co_await bad_answer("it does not speak SOCKS5");
  if (head[1] != 0) co_await refusal_of(static_cast<unsigned char>(head[1]));
  std::size_t length = head[3] == v4 ? 4 : 16;
  if (head[3] == name) {
    std::array<char, 1> size{};
    co_await read_all(stream, size);
    length = static_cast<unsigned char>(size[0]);
  } else if (head[3] != v4 && head[3] != v6) {
    co_await bad_answer("an address of an unknown type");
  }
  std::array<char, length_max + 2> rest{};
  co_await read_all(stream, std::span<char>(rest).first(length + 2));
}

bool fits(std::string_view text) { return text.size() <= length_max; }

}  // namespace

Task<std::unique_ptr<Stream>> connect_by_socks5(std::unique_ptr<Stream> proxy, std::string host,
                                                std::uint16_t port,
                                                std::optional<Socks5Credentials> credentials) {
  if (host.empty() || !fits(host))
    co_return Error(Errc::invalid_argument, "SOCKS5: a host has 1 to 255 bytes").nothing_sent();
  if (credentials && (credentials->user.empty() || !fits(credentials->user) || !fits(credentials->password)))
    co_return Error(Errc::invalid_argument, "SOCKS5: a user has 1 to 255 bytes, a password at most 255")
        .nothing_sent();
  co_await authenticate(*proxy, credentials);
  co_await send(*proxy, request_for(host, port));
  co_await read_reply(*proxy);
  co_return std::move(proxy);
}

}  // namespace escapement
