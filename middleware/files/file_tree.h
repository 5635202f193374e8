// FileTree: opening the files below one folder, and nothing else.

#pragma once

#include <cstdint>
#include <string>

#include <escapement/core/error.h>
#include <escapement/core/system_time.h>
#include <escapement/io/native/posix.h>

namespace escapement::http {

// A regular file, open for reading.
struct OpenFile {
  posix::Fd fd;
  std::uint64_t size = 0;
  std::int64_t modified_seconds = 0;  // since 1970
  std::int64_t modified_nanoseconds = 0;

  SystemTime modified() const {
    return SystemTime::from_unix_milliseconds(modified_seconds * 1000 + modified_nanoseconds / 1'000'000);
  }
};

// How a path is kept below the folder.
enum class Containment {
  // By the kernel: openat2 with RESOLVE_BENEATH (Linux 5.6). Symbolic links may point to what is below the
  // folder, relatively. Where the kernel lacks it, as `walk`.
  kernel,
  // One folder after the other; no symbolic link at all.
  walk,
};

// Opening a file and asking for its size may block the thread for a disk, as any file access under Linux
// may: keep the tree on local storage.
class FileTree {
 public:
  // The folder is opened here once: renaming or replacing it later changes nothing. Errc::not_found,
  // permission_denied, invalid_argument when it is no folder.
  static Result<FileTree> open(const std::string& root, Containment containment = Containment::kernel);

  // `path` is relative, without "." and ".." segments and without NUL (Errc::not_found otherwise). Fails:
  // not_found also for what is neither file nor folder and for links that lead out; invalid_argument for a
  // folder; permission_denied; overloaded when no descriptor is left.
  Result<OpenFile> file(const std::string& path) const;

 private:
  FileTree(posix::Fd root, Containment containment) : root_(std::move(root)), containment_(containment) {}
  posix::Fd open_below(const std::string& path) const;
  posix::Fd walk(const std::string& path) const;

  posix::Fd root_;
  Containment containment_;
};

}  // namespace escapement::http
