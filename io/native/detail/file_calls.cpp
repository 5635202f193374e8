#include <escapement/io/native/detail/file_calls.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/defer.h>

namespace escapement::detail {

namespace {

constexpr std::size_t piece = 256 * KiB;  // between two looks at the stop token

Errc kind_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENXIO: return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return Errc::permission_denied;
    case EEXIST:
    case EISDIR:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case EINVAL:
    case EBADF:
    case ESPIPE:
    case EOVERFLOW: return Errc::invalid_argument;
    case EFBIG: return Errc::limit_exceeded;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: return Errc::overloaded;
    case EXDEV:
    case EOPNOTSUPP:
    case ENOSYS: return Errc::unsupported;
    case EIO:
    case EBUSY:
    case ETXTBSY:
    case ESTALE: return Errc::unavailable;
    default: return Errc::internal;
  }
}

// Repeats a system call until no signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// Returns how much to reserve for reading from `offset`: what a regular file is known to have.
std::size_t expected_bytes(int fd, std::uint64_t offset, std::size_t most) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  return offset >= size ? 0 : static_cast<std::size_t>(std::min<std::uint64_t>(most, size - offset));
}

// Writes `bytes` by `write(piece, offset)`, which returns as pwrite does.
template <class Write>
Result<> write_pieces(std::string_view bytes, const std::string& path, const std::stop_token& stop,
                      Write write) {
  std::uint64_t done = 0;
  while (done < bytes.size()) {
    if (stop.stop_requested()) return Error::cancelled();
    const std::string_view next = bytes.substr(static_cast<std::size_t>(done), piece);
    const ssize_t count = uninterrupted([&] { return write(next, done); });
    if (count < 0) return file_error(errno, "write", path);
    if (count == 0) return file_error(ENOSPC, "write", path);
    done += static_cast<std::uint64_t>(count);
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A new file beside `path`, under a name that nobody has.
struct Temporary {
  posix::Fd fd;
  std::string path;
};

Result<Temporary> make_temporary(const std::string& path, unsigned permissions) {
  constexpr int tries_max = 100;
  const std::string start = path + ".new-" + std::to_string(::getpid()) + '-';
  auto number = static_cast<std::uint64_t>(posix::monotonic_now().nanoseconds());
  for (int tries = 0;; ++tries, ++number) {
    Temporary temporary{posix::Fd(), start + std::to_string(number)};
    Result<posix::Fd> fd = open_file(temporary.path, O_WRONLY | O_CREAT | O_EXCL, permissions);
    if (!fd && fd.error().os_number() == EEXIST && tries < tries_max) continue;
    if (!fd) return std::move(fd).error().context("write " + path);
    temporary.fd = *std::move(fd);
    return temporary;
  }
}

}  // namespace

Error file_error(int number, std::string_view verb, const std::string& path) {
  return Error::from_errno(number, std::string(verb) + ' ' + path, kind_of(number));
}

// Opens without blocking: a FIFO would wait for its other end. Regular files do not know the difference.
Result<posix::Fd> open_file(const std::string& path, int flags, unsigned permissions) {
  if (path.find('\0') != path.npos) return file_error(EINVAL, "open", path.c_str());
  posix::Fd fd(uninterrupted(
      [&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, permissions); }));
  if (!fd) return file_error(errno, "open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return file_error(errno, "open", path);
  if (S_ISDIR(status.st_mode)) return file_error(EISDIR, "open", path);
  return fd;
}

Result<std::string> read_file(int fd, const std::string& path, std::uint64_t offset, std::size_t most,
                              const std::stop_token& stop) {
  std::string bytes;
  bytes.reserve(expected_bytes(fd, offset, most));
  while (bytes.size() < most) {
    if (stop.stop_requested()) return Error::cancelled();
    const std::size_t begin = bytes.size();
    // The piece after the expected end is small: it finds out that this is the end.
    const std::size_t room = begin < bytes.capacity() ? bytes.capacity() - begin : 4 * KiB;
    bytes.resize(begin + std::min({most - begin, piece, room}));
    const ssize_t count = uninterrupted([&] {
      return ::pread(fd, bytes.data() + begin, bytes.size() - begin, static_cast<off_t>(offset + begin));
    });
    if (count < 0) return file_error(errno, "read", path);
    bytes.resize(begin + static_cast<std::size_t>(count));
    if (count == 0) break;
  }
  return bytes;
}

Result<> write_file(int fd, const std::string& path, std::uint64_t offset, std::string_view bytes,
                    const std::stop_token& stop) {
  return write_pieces(bytes, path, stop, [&](std::string_view next, std::uint64_t done) {
    return ::pwrite(fd, next.data(), next.size(), static_cast<off_t>(offset + done));
  });
}

Result<> append_to_file(int fd, const std::string& path, std::string_view bytes,
                        const std::stop_token& stop) {
  return write_pieces(bytes, path, stop, [&](std::string_view next, std::uint64_t) {
    return ::write(fd, next.data(), next.size());
  });
}

Result<> sync_file(int fd, const std::string& path) {
  if (uninterrupted([&] { return ::fsync(fd); }) != 0) return file_error(errno, "sync", path);
  return {};
}

// Some file systems cannot sync a folder, and say so with EINVAL.
Result<> sync_folder_of(const std::string& path) {
  const std::string folder = folder_of(path);
  const posix::Fd fd(
      uninterrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) return file_error(errno, "sync", folder);
  Result<> synced = sync_file(fd.get(), folder);
  if (!synced && synced.error().os_number() == EINVAL) return {};
  return synced;
}

Result<> replace_file(const std::string& path, std::string_view bytes, unsigned permissions,
                      const std::stop_token& stop) {
  Result<Temporary> made = make_temporary(path, permissions);
  if (!made) return std::move(made).error();
  bool renamed = false;
  const Defer remove_otherwise([&] {
    if (!renamed) ::unlink(made->path.c_str());
  });
  Result<> written = write_file(made->fd.get(), path, 0, bytes, stop);
  if (!written) return written;
  Result<> synced = sync_file(made->fd.get(), path);
  if (!synced) return synced;
  if (stop.stop_requested()) return Error::cancelled();
  if (::rename(made->path.c_str(), path.c_str()) != 0) return file_error(errno, "write", path);
  renamed = true;
  return sync_folder_of(path);
}

}  // namespace escapement::detail
