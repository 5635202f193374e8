// Names of Unix sockets, in the kernel's form and as text.

#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement::detail {

// A name in the kernel's form and as text.
struct UnixName {
  sockaddr_un address{};
  socklen_t size = 0;
  std::string path;  // empty: an abstract name
  std::string text;  // "unix:/run/app.sock"

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// Parses a name as unix.h describes it; `what` begins the error message. Fails with invalid_argument, and
// with unsupported for an abstract name where this system has none.
Result<UnixName> parse_unix_name(std::string_view text, std::string_view what);

// Formats the address of a socket: "unix:/run/app.sock", "unix:@name".
std::string unix_name_text(const sockaddr_un& address, socklen_t size);

}  // namespace escapement::detail
