#include <escapement/io/native/folder.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <string_view>
#include <utility>

#include <escapement/io/native/detail/file_calls.h>
#include <escapement/io/native/offload.h>

namespace escapement {

namespace {

using Kind = FolderEntry::Kind;

constexpr std::size_t batch = 256;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return Kind::file;
  if (S_ISDIR(mode)) return Kind::folder;
  return S_ISLNK(mode) ? Kind::link : Kind::other;
}

Kind kind_of(DIR* folder, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG: return Kind::file;
    case DT_DIR: return Kind::folder;
    case DT_LNK: return Kind::link;
    case DT_UNKNOWN: break;
    default: return Kind::other;
  }
  struct stat status{};
  if (::fstatat(::dirfd(folder), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Kind::gone;
  return kind_of(status.st_mode);
}

Result<> make_one(const std::string& path, unsigned permissions) {
  if (path.find('\0') != path.npos) return detail::file_error(EINVAL, "make", path.c_str());
  if (::mkdir(path.c_str(), permissions) != 0) return detail::file_error(errno, "make", path);
  return {};
}

bool is_folder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Makes each folder of the path in turn. One that another process makes meanwhile is as good.
Result<> make_each(const std::string& path, unsigned permissions) {
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    Result<> made = make_one(path.substr(0, end), permissions);
    if (made || is_folder(path.substr(0, end))) continue;
    return made;
  }
  if (path.empty()) return make_one(path, permissions);
  return {};
}

}  // namespace

// Entries that were read stay here until `next` takes them, so a call that was cancelled loses none.
struct Folder::Open {
  Open(DIR* f, std::string p) : folder(f), path(std::move(p)) {}

  // Reads the next entries, unless there are some. On the pool: for a moment perhaps twice at once, if a call
  // was cancelled.
  Result<> read() {
    const std::lock_guard<std::mutex> lock(mutex);
    while (entries.size() < batch) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr && errno != 0) return detail::file_error(errno, "list", path);
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") entries.emplace_back(std::string(name), kind_of(folder.get(), *entry));
    }
    return {};
  }
  std::vector<FolderEntry> take() {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::exchange(entries, {});
  }

  std::mutex mutex;
  std::unique_ptr<DIR, CloseFolder> folder;
  std::vector<FolderEntry> entries;
  std::string path;
};

Folder::Folder(ThreadPool& pool, std::shared_ptr<Open> open) : pool_(&pool), open_(std::move(open)) {}
Folder::Folder(Folder&&) noexcept = default;
Folder& Folder::operator=(Folder&&) noexcept = default;
Folder::~Folder() = default;

Task<Folder> Folder::open(ThreadPool& pool, std::string path) {
  auto open = [path = std::move(path)]() -> Result<std::shared_ptr<Open>> {
    if (path.find('\0') != path.npos) return detail::file_error(EINVAL, "list", path.c_str());
    posix::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return detail::file_error(errno, "list", path);
    DIR* folder = ::fdopendir(fd.get());
    if (folder == nullptr) return detail::file_error(errno, "list", path);
    (void)fd.release();  // the folder's
    return std::make_shared<Open>(folder, path);
  };
  std::shared_ptr<Open> opened = co_await offload(pool, std::move(open));
  co_return Folder(pool, std::move(opened));
}

Task<std::optional<FolderEntry>> Folder::next() {
  if (taken_ == read_.size() && open_) {
    read_.clear();
    taken_ = 0;
    auto read = [open = open_] { return open->read(); };
    co_await offload(*pool_, std::move(read));
    read_ = open_->take();
    if (read_.empty()) open_.reset();
  }
  if (taken_ == read_.size()) co_return std::optional<FolderEntry>();
  co_return std::optional<FolderEntry>(std::move(read_[taken_++]));
}

Task<> make_folder(ThreadPool& pool, std::string path, unsigned permissions) {
  return offload(pool,
                 [path = std::move(path), permissions]() -> Result<> { return make_one(path, permissions); });
}

Task<> make_folders(ThreadPool& pool, std::string path, unsigned permissions) {
  return offload(
      pool, [path = std::move(path), permissions]() -> Result<> { return make_each(path, permissions); });
}

Task<> remove_folder(ThreadPool& pool, std::string path) {
  return offload(pool, [path = std::move(path)]() -> Result<> {
    if (path.find('\0') != path.npos) return detail::file_error(EINVAL, "remove", path.c_str());
    if (::rmdir(path.c_str()) != 0) return detail::file_error(errno, "remove", path);
    return {};
  });
}

}  // namespace escapement
