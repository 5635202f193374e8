#include <escapement/io/native/unix.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <escapement/io/native/detail/descriptor_stream.h>
#include <escapement/io/native/detail/socket.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/detail/unix_name.h>
#include <escapement/timers/sleep.h>

namespace escapement {

namespace {

constexpr Duration first_pause = 1ms;
constexpr Duration longest_pause = 50ms;
using Name = detail::UnixName;

// The file of a bound socket, removed at the end if it is still the same.
class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::string path) : path_(std::move(path)) {
    struct stat status{};
    if (::lstat(path_.c_str(), &status) != 0) path_.clear();
    device_ = status.st_dev;
    number_ = status.st_ino;
  }
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), number_(other.number_) {}
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile() {
    if (path_.empty()) return;
    struct stat status{};
    if (::lstat(path_.c_str(), &status) != 0) return;
    if (status.st_dev == device_ && status.st_ino == number_) ::unlink(path_.c_str());
  }
  void keep() { path_.clear(); }

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t number_ = 0;
};

detail::DescriptorKind socket_kind() {
  detail::DescriptorKind kind;
  kind.socket = true;
  return kind;
}

class SocketListener final : public UnixListener {
 public:
  SocketListener(FdBackend& backend, posix::Fd fd, std::string address, SocketFile file,
                 std::function<bool(const UnixCredentials&)> allow)
      : backend_(backend),
        file_(std::move(file)),
        socket_(backend, std::move(fd)),
        address_(std::move(address)),
        allow_(std::move(allow)) {}

  Task<std::unique_ptr<Stream>> accept() override {
    UnixConnection accepted = co_await accept_unix();
    co_return std::move(accepted.stream);
  }

  Task<UnixConnection> accept_unix() override {
    if (++accepts_in_a_row_ > detail::accepts_in_a_row_max) {
      accepts_in_a_row_ = 0;
      co_await yield();
    }
    for (int refused = 0;;) {
      sockaddr_storage peer{};
      socklen_t length = 0;
      posix::Fd fd = posix::accept_connection(socket_.fd(), peer, length);
      const int number = errno;
      if (!fd && number == EAGAIN) {
        refused = accepts_in_a_row_ = 0;
        if (!socket_.watched()) co_await socket_.begin_watch();
        co_await socket_.readable();
        continue;
      }
      if (!fd && (!posix::connection_broke(number) || ++refused > detail::accepts_in_a_row_max)) {
        co_return Error::from_errno(number, "accept on " + address_, Errc::overloaded);
      }
      UnixCredentials credentials{};
      if (fd && posix::peer_credentials(fd.get(), credentials) && (!allow_ || allow_(credentials))) {
        co_return UnixConnection(stream_of(std::move(fd), credentials), credentials);
      }
      if (++refused % detail::accepts_in_a_row_max == 0) co_await yield();
    }
  }

  std::string address() const override { return address_; }

 private:
  std::unique_ptr<Stream> stream_of(posix::Fd fd, const UnixCredentials& peer) {
    std::string name = "unix:pid=" + std::to_string(peer.process) + ",uid=" + std::to_string(peer.user);
    return std::make_unique<detail::DescriptorStream>(backend_, std::move(fd), socket_kind(),
                                                      std::move(name));
  }

  FdBackend& backend_;
  SocketFile file_;  // removed after the socket was closed
  detail::Socket socket_;
  const std::string address_;
  const std::function<bool(const UnixCredentials&)> allow_;
  int accepts_in_a_row_ = 0;
};

Error connect_failure(int number, const std::string& what) {
  const Errc kind = number == ENOENT || number == ECONNREFUSED ? Errc::unavailable
                    : number == EPROTOTYPE || number == ENOTDIR || number == ENOTSOCK
                        ? Errc::invalid_argument
                        : Error::from_errno(number, what).code();
  return Error::from_errno(number, what, kind).nothing_sent();
}

Task<std::unique_ptr<Stream>> connect_to(FdBackend& backend, Name name) {
  const std::string what = "connect to " + name.text;
  posix::Fd fd = posix::open_socket(AF_UNIX, SOCK_STREAM);
  if (!fd) co_return Error::from_errno(errno, what).nothing_sent();
  Duration pause = first_pause;
  while (::connect(fd.get(), name.data(), name.size) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return connect_failure(errno, what);
    co_await sleep(pause);
    pause = std::min<Duration>(pause * 2, longest_pause);
  }
  co_return std::make_unique<detail::DescriptorStream>(backend, std::move(fd), socket_kind(),
                                                       std::move(name.text));
}

// Returns nothing if no program listens at the path any more, and the reason why it is taken otherwise.
Result<> check_stale(const Name& name, const std::string& what) {
  struct stat status{};
  if (::lstat(name.path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return Error(Errc::address_in_use, what + ": a file that is no socket is in the way");
  }
  const posix::Fd probe = posix::open_socket(AF_UNIX, SOCK_STREAM);
  if (!probe) return Error::from_errno(errno, what);
  const int connected = ::connect(probe.get(), name.data(), name.size);
  if (connected != 0 && (errno == ECONNREFUSED || errno == ENOENT)) return {};
  return Error(Errc::address_in_use, what + ": another program listens there");
}

int bind_to(int fd, const Name& name, const UnixListenOptions& options) {
  // The mode of the socket becomes that of the file, less the umask; then exactly that mode is set.
  if (!name.path.empty()) ::fchmod(fd, options.mode & 0777);
  return ::bind(fd, name.data(), name.size);
}

Result<> bind_socket(int fd, const Name& name, const UnixListenOptions& options, const std::string& what) {
  if (bind_to(fd, name, options) == 0) return {};
  if (errno == EADDRINUSE && !name.path.empty() && options.remove_stale) {
    if (Result<> stale = check_stale(name, what); !stale) return stale;
    ::unlink(name.path.c_str());
    if (bind_to(fd, name, options) == 0) return {};
  }
  const bool no_folder = errno == ENOENT || errno == ENOTDIR;
  if (no_folder) return Error(Errc::invalid_argument, what + ": the folder does not exist");
  return Error::from_errno(errno, what);
}

}  // namespace

Result<std::unique_ptr<UnixListener>> listen_unix(FdBackend& backend, std::string_view text,
                                                  UnixListenOptions options) {
  Result<Name> name = detail::parse_unix_name(text, "listen on");
  if (!name) return std::move(name).error();
  const std::string what = "listen on " + name->text;
  posix::Fd fd = posix::open_socket(AF_UNIX, SOCK_STREAM);
  if (!fd) return Error::from_errno(errno, what);
  if (Result<> bound = bind_socket(fd.get(), *name, options, what); !bound) return std::move(bound).error();
  SocketFile file(name->path);
  if (!name->path.empty() && ::chmod(name->path.c_str(), options.mode) != 0) {
    return Error::from_errno(errno, what);
  }
  if (::listen(fd.get(), options.backlog) != 0) return Error::from_errno(errno, what);
  if (!options.unlink_at_end) file.keep();
  return std::unique_ptr<UnixListener>(std::make_unique<SocketListener>(
      backend, std::move(fd), name->text, std::move(file), std::move(options.allow)));
}

Result<std::unique_ptr<UnixListener>> adopt_unix_listener(FdBackend& backend, posix::Fd&& socket,
                                                          UnixListenOptions options) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  int listening = 0;
  socklen_t int_size = sizeof listening;
  const int fd = socket.get();
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_size) != 0) {
    return Error::from_errno(errno, "descriptor " + std::to_string(fd), Errc::invalid_argument);
  }
  if (address.sun_family != AF_UNIX || listening == 0) {
    return Error(Errc::invalid_argument,
                 "descriptor " + std::to_string(fd) + " is no Unix socket that listens");
  }
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return std::unique_ptr<UnixListener>(
      std::make_unique<SocketListener>(backend, std::move(socket), detail::unix_name_text(address, size),
                                       SocketFile(), std::move(options.allow)));
}

Task<std::unique_ptr<Stream>> connect_unix(FdBackend& backend, std::string text, Duration limit) {
  Result<Name> name = detail::parse_unix_name(text, "connect to");
  if (!name) co_return std::move(name).error().nothing_sent();
  std::string peer = name->text;
  Task<std::unique_ptr<Stream>> connecting = connect_to(backend, *std::move(name));
  co_return co_await detail::connection_within(limit, Instant::never(), std::move(peer),
                                               std::move(connecting));
}

Task<std::unique_ptr<Stream>> UnixNetwork::connect(std::string, std::uint16_t) {
  return connect_unix(backend_, name_);
}

Task<std::unique_ptr<Stream>> UnixNetwork::connect_within(Duration limit, std::string, std::uint16_t) {
  return connect_unix(backend_, name_, limit);
}

Result<std::unique_ptr<Listener>> UnixNetwork::listen(std::string_view address) {
  Result<std::unique_ptr<UnixListener>> made =
      listen_unix(backend_, address.empty() ? std::string_view(name_) : address, options_);
  if (!made) return std::move(made).error();
  return std::unique_ptr<Listener>(*std::move(made));
}

}  // namespace escapement
