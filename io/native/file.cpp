#include <escapement/io/native/file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <limits>

#include <escapement/io/native/detail/file_calls.h>
#include <escapement/io/native/offload.h>

namespace escapement {

namespace {

int flags_of(const OpenOptions& options) {
  int flags = options.writes || options.appends ? (options.reads ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (options.appends) flags |= O_APPEND;
  if (options.creates) flags |= O_CREAT;
  if (options.creates && options.exclusive) flags |= O_EXCL;
  if (options.truncates) flags |= O_TRUNC;
  return flags;
}

// Runs `call`, which returns -1 and errno as system calls do, on the pool.
template <class Call>
Task<> change_name(ThreadPool& pool, const char* verb, std::string path, Call call) {
  auto change = [verb, path = std::move(path), call = std::move(call)]() -> Result<> {
    if (path.find('\0') != path.npos) return detail::file_error(EINVAL, verb, path.c_str());
    if (call(path) != 0) return detail::file_error(errno, verb, path);
    return {};
  };
  co_await offload(pool, std::move(change));
}

}  // namespace

OpenOptions OpenOptions::write() {
  OpenOptions options(false, true);
  options.creates = options.truncates = true;
  return options;
}

OpenOptions OpenOptions::append() {
  OpenOptions options(false, false);
  options.creates = options.appends = true;
  return options;
}

OpenOptions OpenOptions::create() {
  OpenOptions options(true, true);
  options.creates = options.exclusive = true;
  return options;
}

template <class Call>
auto File::on_pool(ThreadPool& pool, Shared open, Call call) {
  return offload(pool, [open = std::move(open), call = std::move(call)](const std::stop_token& stop) {
    return call(*open, stop);
  });
}

Task<File> File::open(ThreadPool& pool, std::string path, OpenOptions options) {
  auto open = [path = std::move(path), options]() -> Result<Shared> {
    Result<posix::Fd> fd = detail::open_file(path, flags_of(options), options.permissions);
    if (!fd) return std::move(fd).error();
    return Shared(std::make_shared<const Open>(*std::move(fd), path, options.appends));
  };
  Shared opened = co_await offload(pool, std::move(open));
  co_return File(pool, std::move(opened));
}

Task<std::string> File::read_all(ThreadPool& pool, std::string path, std::size_t limit) {
  auto read = [path = std::move(path), limit](const std::stop_token& stop) -> Result<std::string> {
    Result<posix::Fd> fd = detail::open_file(path, O_RDONLY, 0);
    if (!fd) return std::move(fd).error();
    const std::size_t most = limit == std::numeric_limits<std::size_t>::max() ? limit : limit + 1;
    Result<std::string> bytes = detail::read_file(fd->get(), path, 0, most, stop);
    if (bytes && bytes->size() > limit) {
      return Error(Errc::limit_exceeded,
                   "read " + path + ": it has more than " + std::to_string(limit) + " bytes");
    }
    return bytes;
  };
  std::string bytes = co_await offload(pool, std::move(read));
  co_return bytes;
}

Task<> File::write_all(ThreadPool& pool, std::string path, std::string bytes, unsigned permissions) {
  auto replace = [path = std::move(path), bytes = std::move(bytes),
                  permissions](const std::stop_token& stop) {
    return detail::replace_file(path, bytes, permissions, stop);
  };
  co_await offload(pool, std::move(replace));
}

Task<std::string> File::read(ThreadPool& pool, Shared open, std::uint64_t offset, std::size_t most) {
  auto read = [offset, most](const Open& file, const std::stop_token& stop) {
    return detail::read_file(file.fd.get(), file.path, offset, most, stop);
  };
  std::string bytes = co_await on_pool(pool, std::move(open), std::move(read));
  co_return bytes;
}

Task<> File::write(ThreadPool& pool, Shared open, std::uint64_t offset, std::string bytes) {
  auto write = [offset, bytes = std::move(bytes)](const Open& file, const std::stop_token& stop) -> Result<> {
    if (file.appends) return detail::file_error(EINVAL, "write at an offset of", file.path);
    return detail::write_file(file.fd.get(), file.path, offset, bytes, stop);
  };
  co_await on_pool(pool, std::move(open), std::move(write));
}

Task<std::string> File::read_at(std::uint64_t offset, std::size_t most) const {
  return read(*pool_, open_, offset, most);
}

Task<> File::write_at(std::uint64_t offset, std::string bytes) const {
  return write(*pool_, open_, offset, std::move(bytes));
}

Task<> File::append(std::string bytes) const {
  return on_pool(*pool_, open_,
                 [bytes = std::move(bytes)](const Open& file, const std::stop_token& stop) -> Result<> {
                   if (!file.appends) return detail::file_error(EINVAL, "append to", file.path);
                   return detail::append_to_file(file.fd.get(), file.path, bytes, stop);
                 });
}

Task<std::uint64_t> File::size() const {
  return on_pool(*pool_, open_, [](const Open& file, const std::stop_token&) -> Result<std::uint64_t> {
    struct stat status{};
    if (::fstat(file.fd.get(), &status) != 0) return detail::file_error(errno, "look at", file.path);
    return static_cast<std::uint64_t>(status.st_size);
  });
}

Task<> File::truncate(std::uint64_t size) const {
  return on_pool(*pool_, open_, [size](const Open& file, const std::stop_token&) -> Result<> {
    int failed = 0;
    do {
      failed = ::ftruncate(file.fd.get(), static_cast<off_t>(size));
    } while (failed != 0 && errno == EINTR);
    if (failed != 0) return detail::file_error(errno, "truncate", file.path);
    return {};
  });
}

Task<> File::sync() const {
  return on_pool(*pool_, open_, [](const Open& file, const std::stop_token&) {
    return detail::sync_file(file.fd.get(), file.path);
  });
}

Task<> remove_file(ThreadPool& pool, std::string path) {
  return change_name(pool, "remove", std::move(path),
                     [](const std::string& name) { return ::unlink(name.c_str()); });
}

Task<> rename_file(ThreadPool& pool, std::string from, std::string to) {
  return change_name(pool, "rename", std::move(from), [to = std::move(to)](const std::string& name) {
    if (to.find('\0') == to.npos) return ::rename(name.c_str(), to.c_str());
    errno = EINVAL;
    return -1;
  });
}

}  // namespace escapement
