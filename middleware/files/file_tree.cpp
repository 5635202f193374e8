#include <escapement/middleware/files/file_tree.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <escapement/io/native/detail/system.h>

namespace escapement::http {

namespace {

constexpr int races_max = 8;  // a rename during the look-up: the kernel asks to try again

// Non-blocking: opening a FIFO must not wait for its other end.
constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

// Accepts "a/b", "a/b/" and "": no empty, "." or ".." segments.
bool well_formed(std::string_view path) {
  if (path.find('\0') != path.npos || path.starts_with('/')) return false;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return false;
    path = slash == path.npos ? std::string_view() : path.substr(slash + 1);
  }
  return true;
}

Error failure(int number, const std::string& path) {
  const std::string what = "open " + path;
  switch (number) {
    case EACCES:
    case EPERM: return Error::from_errno(number, what, Errc::permission_denied);
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Error::from_errno(number, what, Errc::overloaded);
    default:  // ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EXDEV (leads out), ENXIO, EIO
      return Error::from_errno(number, what, Errc::not_found);
  }
}

}  // namespace

Result<FileTree> FileTree::open(const std::string& root, Containment containment) {
  posix::Fd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    const Errc code = errno == ENOTDIR                     ? Errc::invalid_argument
                      : errno == EACCES                    ? Errc::permission_denied
                      : errno == EMFILE || errno == ENFILE ? Errc::overloaded
                                                           : Errc::not_found;
    return Error::from_errno(errno, "open the folder " + root, code);
  }
  return FileTree(std::move(fd), containment);
}

posix::Fd FileTree::open_below(const std::string& path) const {
  if (containment_ == Containment::walk) return walk(path);
  for (int races = 0;;) {
    posix::Fd opened = posix::open_beneath(root_.get(), path.c_str(), flags);
    if (opened) return opened;
    if (errno == EINTR || (errno == EAGAIN && ++races < races_max)) continue;
    // The system lacks the call, or a sandbox does not know the call. EPERM may also concern the file itself;
    // the walk then ends with the same error.
    if (errno == ENOSYS || errno == EPERM) return walk(path);
    return posix::Fd();
  }
}

posix::Fd FileTree::walk(const std::string& path) const {
  posix::Fd folder;
  std::string_view rest = path;
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string segment(rest.substr(0, slash));
    const int at = folder ? folder.get() : root_.get();
    if (slash == rest.npos) {
      return posix::Fd(::openat(at, segment.empty() ? "." : segment.c_str(), flags | O_NOFOLLOW));
    }
    posix::Fd next(::openat(at, segment.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!next) return next;
    folder = std::move(next);
    rest.remove_prefix(slash + 1);
  }
}

Result<OpenFile> FileTree::file(const std::string& path) const {
  if (!well_formed(path)) return failure(ENOENT, path);
  OpenFile file;
  file.fd = open_below(path.empty() ? "." : path);
  if (!file.fd) return failure(errno, path);
  struct stat status{};
  if (::fstat(file.fd.get(), &status) != 0) return failure(errno, path);
  if (S_ISDIR(status.st_mode)) return Error(Errc::invalid_argument, "open " + path + ": it is a folder");
  if (!S_ISREG(status.st_mode)) return Error(Errc::not_found, "open " + path + ": it is not a regular file");
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.modified_seconds = status.st_mtim.tv_sec;
  file.modified_nanoseconds = status.st_mtim.tv_nsec;
  return file;
}

}  // namespace escapement::http
