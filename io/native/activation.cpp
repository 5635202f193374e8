#include <escapement/io/native/activation.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include <escapement/core/detail/number.h>
#include <escapement/io/address.h>
#include <escapement/io/native/detail/socket.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/detail/unix_name.h>
#include <escapement/io/native/tcp.h>
#include <escapement/io/native/unix.h>

namespace escapement {

namespace {

constexpr const char* pid_variable = "LISTEN_PID";
constexpr const char* count_variable = "LISTEN_FDS";
constexpr const char* names_variable = "LISTEN_FDNAMES";
constexpr int count_max = 4096;

Error malformed(const char* variable, std::string_view value, std::string_view why) {
  return Error(Errc::invalid_argument, std::string(variable) + "=" + std::string(value.substr(0, 100)) +
                                           " is not what a supervisor passes: " + std::string(why));
}

// Returns how many descriptors were passed to this process.
Result<int> count_passed() {
  const char* count = ::getenv(count_variable);
  const char* process = ::getenv(pid_variable);
  if (count == nullptr || process == nullptr) return 0;
  const std::optional<long> id = parse_number<long>(process);
  if (!id || *id <= 0) return malformed(pid_variable, process, "it is no process id");
  if (*id != ::getpid()) return 0;
  const std::optional<int> number = parse_number<int>(count);
  if (!number || *number < 0 || *number > count_max) {
    return malformed(count_variable, count, "it is no number from 0 to " + std::to_string(count_max));
  }
  return *number;
}

Result<std::vector<std::string>> names_of(int count) {
  const char* value = ::getenv(names_variable);
  std::vector<std::string> names;
  if (value == nullptr) return std::vector<std::string>(static_cast<std::size_t>(count), "unknown");
  std::string_view rest = value;
  for (;;) {
    const std::size_t colon = rest.find(':');
    names.emplace_back(rest.substr(0, colon));
    if (colon == rest.npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (names.size() == static_cast<std::size_t>(count)) return names;
  return malformed(
      names_variable, value,
      "it has " + std::to_string(names.size()) + " names for " + std::to_string(count) + " descriptors");
}

std::string address_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (address.ss_family == AF_UNIX) {
    return detail::unix_name_text(reinterpret_cast<const sockaddr_un&>(address), size);
  }
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return {};
  return SocketAddress(reinterpret_cast<const sockaddr*>(&address), size).text();
}

PassedKind kind_of(int fd) {
  const std::optional<int> type = detail::socket_option(fd, SO_TYPE);
  if (!type) return PassedKind::other;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const bool internet = address.ss_family == AF_INET || address.ss_family == AF_INET6;
  if (*type == SOCK_DGRAM && internet) return PassedKind::udp;
  if (*type != SOCK_STREAM || (!internet && address.ss_family != AF_UNIX)) return PassedKind::other;
  if (detail::socket_option(fd, SO_ACCEPTCONN).value_or(0) == 0) return PassedKind::connection;
  return internet ? PassedKind::tcp_listener : PassedKind::unix_listener;
}

void unset_environment() {
  for (const char* variable : {pid_variable, count_variable, names_variable}) ::unsetenv(variable);
}

}  // namespace

std::string_view name(PassedKind kind) {
  switch (kind) {
    case PassedKind::tcp_listener: return "tcp_listener";
    case PassedKind::unix_listener: return "unix_listener";
    case PassedKind::udp: return "udp";
    case PassedKind::connection: return "connection";
    case PassedKind::other: return "other";
  }
  return "other";
}

Result<std::vector<PassedSocket>> take_passed_sockets(ActivationOptions options) {
  const Result<int> count = count_passed();
  if (!count) return count.error();
  std::vector<PassedSocket> sockets;
  if (*count == 0) return sockets;
  Result<std::vector<std::string>> names = names_of(*count);
  if (!names) return std::move(names).error();
  for (int i = 0; i < *count; ++i) {
    if (::fcntl(options.first + i, F_GETFD) >= 0) continue;
    return malformed(count_variable, std::to_string(*count),
                     "descriptor " + std::to_string(options.first + i) + " is not open");
  }
  sockets.reserve(names->size());
  for (std::string& name : *names) {
    const int fd = options.first + static_cast<int>(sockets.size());
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    const PassedKind kind = kind_of(fd);
    std::string address = kind == PassedKind::other ? std::string() : address_of(fd);
    sockets.emplace_back(std::move(name), kind, std::move(address), posix::Fd(fd));
  }
  if (options.unset_environment) unset_environment();
  return sockets;
}

Result<std::unique_ptr<Listener>> passed_listener(FdBackend& backend, PassedSocket&& socket) {
  if (socket.kind == PassedKind::tcp_listener) return adopt_tcp_listener(backend, std::move(socket.fd));
  if (socket.kind == PassedKind::unix_listener) {
    Result<std::unique_ptr<UnixListener>> made = adopt_unix_listener(backend, std::move(socket.fd));
    if (!made) return std::move(made).error();
    return std::unique_ptr<Listener>(*std::move(made));
  }
  return Error(Errc::invalid_argument, "the passed socket \"" + socket.name +
                                           "\" does not listen: its kind is " +
                                           std::string(name(socket.kind)));
}

Result<bool> notify_supervisor(std::string_view state) {
  const char* variable = ::getenv("NOTIFY_SOCKET");
  if (variable == nullptr) return false;
  if (variable[0] != '/' && variable[0] != '@') {
    return malformed("NOTIFY_SOCKET", variable, "it is neither an absolute path nor an abstract name");
  }
  Result<detail::UnixName> name = detail::parse_unix_name(variable, "notify the supervisor at");
  if (!name) return std::move(name).error();
  const std::string what = "notify the supervisor at " + name->text;
  const posix::Fd fd = posix::open_socket(AF_UNIX, SOCK_DGRAM);
  if (!fd) return Error::from_errno(errno, what);
  const ssize_t sent = ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, name->data(), name->size);
  if (sent < 0) return Error::from_errno(errno, what);
  return true;
}

}  // namespace escapement
