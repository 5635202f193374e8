#include <escapement/io/native/descriptor.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include <escapement/io/native/detail/descriptor_stream.h>
#include <escapement/io/native/detail/socket.h>

namespace escapement {

namespace {

Error unusable(const std::string& name, std::string_view why) {
  return Error(Errc::invalid_argument, "a stream from " + name + ": " + std::string(why));
}

Result<> check_socket(int fd, const std::string& name) {
  if (detail::socket_option(fd, SO_TYPE) != SOCK_STREAM) {
    return unusable(name, "it is a socket for messages; for UDP use UdpSocket (io/native/udp.h)");
  }
  if (detail::socket_option(fd, SO_ACCEPTCONN).value_or(0) != 0) {
    return unusable(name, "it is a listening socket; make a Listener of it (io/native/activation.h)");
  }
  return {};
}

// Finds out how `fd` may be used, and makes it non-blocking.
Result<detail::DescriptorKind> prepare(int fd, const std::string& name) {
  const int flags = ::fcntl(fd, F_GETFL);
  struct stat status{};
  if (flags < 0 || ::fstat(fd, &status) != 0) return Error::from_errno(errno, "a stream from " + name);
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) {
    return unusable(name,
                    "a file, folder or block device is always ready and cannot be waited for; read and write "
                    "it by offload (io/native/offload.h), or send it by Stream::send_file");
  }
  detail::DescriptorKind kind;
  kind.socket = S_ISSOCK(status.st_mode);
  if (kind.socket) {
    if (Result<> checked = check_socket(fd, name); !checked) return std::move(checked).error();
  } else {
    kind.reads = (flags & O_ACCMODE) != O_WRONLY;
    kind.writes = (flags & O_ACCMODE) != O_RDONLY;
  }
  kind.restores_blocking = (flags & O_NONBLOCK) == 0;
  if (kind.restores_blocking && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return Error::from_errno(errno, "a stream from " + name);
  }
  return kind;
}

std::string name_of(int fd, std::string name) {
  return name.empty() ? "descriptor " + std::to_string(fd) : std::move(name);
}

}  // namespace

Result<std::unique_ptr<Stream>> descriptor_stream(FdBackend& backend, posix::Fd&& fd, std::string name) {
  name = name_of(fd.get(), std::move(name));
  Result<detail::DescriptorKind> kind = prepare(fd.get(), name);
  if (!kind) return std::move(kind).error();
  return std::unique_ptr<Stream>(
      std::make_unique<detail::DescriptorStream>(backend, std::move(fd), *kind, std::move(name)));
}

Result<std::unique_ptr<Stream>> borrowed_descriptor_stream(FdBackend& backend, int fd, std::string name) {
  name = name_of(fd, std::move(name));
  Result<detail::DescriptorKind> kind = prepare(fd, name);
  if (!kind) return std::move(kind).error();
  kind->borrowed = true;
  return std::unique_ptr<Stream>(
      std::make_unique<detail::DescriptorStream>(backend, posix::Fd(fd), *kind, std::move(name)));
}

}  // namespace escapement
