// SOCKS5: a connection through a proxy that passes bytes on.
//
// Source: RFC 1928, RFC 1929 (user and password).

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <escapement/io/stream.h>

namespace escapement {

// A user of 1 to 255 bytes and a password of at most 255 for a SOCKS5 proxy. They are sent in the clear. RFC
// 1929 has no empty password; one is sent as that, as curl does: some proxies take a token for the user.
struct Socks5Credentials {
  Socks5Credentials(std::string u, std::string p) : user(std::move(u)), password(std::move(p)) {}
  std::string user;      // who asks
  std::string password;  // the proof
};

// Makes the proxy at the other end of `proxy` connect to `host` (a name of at most 255 bytes, which the proxy
// looks up, or a literal address without brackets), and yields the stream, which then leads there. Reads not
// a byte more than the proxy's answers. Has no time limit of its own. Fails with nothing sent to the host:
//   invalid_argument   the host or the credentials are too long; the host or the user is empty
//   permission_denied  Fault::proxy_auth_required, proxy_refused
//   unavailable        Fault::proxy_failed, proxy_closed
//   bad_message        Fault::proxy_bad_answer
Task<std::unique_ptr<Stream>> connect_by_socks5(std::unique_ptr<Stream> proxy, std::string host,
                                                std::uint16_t port,
                                                std::optional<Socks5Credentials> credentials = std::nullopt);

}  // namespace escapement
