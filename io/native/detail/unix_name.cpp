#include <escapement/io/native/detail/unix_name.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <escapement/io/native/detail/system.h>

namespace escapement::detail {

namespace {

constexpr std::string_view scheme = "unix:";

}  // namespace

Result<UnixName> parse_unix_name(std::string_view text, std::string_view what) {
  const auto wrong = [&](const std::string& why) {
    return Error(Errc::invalid_argument,
                 std::string(what) + " unix:" + std::string(text.substr(0, 200)) + ": " + why);
  };
  if (text.starts_with(scheme)) text.remove_prefix(scheme.size());
  UnixName name;
  name.text.append(scheme).append(text);
  name.address.sun_family = AF_UNIX;
  constexpr std::size_t room = sizeof name.address.sun_path;
  if (text.empty()) return wrong("the path is empty");
  if (text.find('\0') != text.npos) return wrong("the name contains a zero byte");
  if (text.size() >= room) {
    return wrong("the name has " + std::to_string(text.size()) +
                 " bytes; that of a Unix socket has at most " + std::to_string(room - 1) +
                 " (a path relative to the current folder may be shorter)");
  }
  if (text.front() == '@') {
    name.size = posix::abstract_address(name.address, text.substr(1));
    if (name.size == 0) return Error(Errc::unsupported, name.text + ": this system has no abstract names");
    return name;
  }
  name.path = text;
  std::memcpy(name.address.sun_path, text.data(), text.size());
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + 1);
  return name;
}

std::string unix_name_text(const sockaddr_un& address, socklen_t size) {
  std::string text(scheme);
  const std::size_t length = size - std::min<std::size_t>(size, offsetof(sockaddr_un, sun_path));
  if (length == 0) return text;
  if (address.sun_path[0] == '\0') return text.append("@").append(address.sun_path + 1, length - 1);
  return text.append(address.sun_path, ::strnlen(address.sun_path, length));
}

}  // namespace escapement::detail
