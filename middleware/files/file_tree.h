// FileTree: opens the files below one folder, and nothing else.

#pragma once

#include <cstdint>
#include <string>

#include <escapement/core/error.h>
#include <escapement/core/system_time.h>
#include <escapement/io/native/posix.h>

namespace escapement::http {

// A regular file, open for reading.
struct OpenFile {
  posix::Fd fd;                           // open for reading
  std::uint64_t size = 0;                 // in bytes, when it was opened
  std::int64_t modified_seconds = 0;      // since 1970
  std::int64_t modified_nanoseconds = 0;  // beyond the seconds

  // Returns the time of the last change, in milliseconds.
  SystemTime modified() const {
    return SystemTime::from_unix_milliseconds(modified_seconds * 1000 + modified_nanoseconds / 1'000'000);
  }
};

// The way in which a path is kept below the folder.
enum class Containment {
  // By the kernel: openat2 with RESOLVE_BENEATH (Linux 5.6). Symbolic links may point below the folder, by
  // relative paths. Falls back to `walk` where the kernel lacks it.
  kernel,
  // One folder after the other, refusing every symbolic link.
  walk,
};

// Opens regular files below a folder. Opening a file and reading its size may block the thread on the disk,
// as any file access on Linux may: keep the tree on local storage.
class FileTree {
 public:
  // Opens the folder once: renaming or replacing it later changes nothing. Errors: not_found;
  // permission_denied; invalid_argument when `root` is not a folder.
  static Result<FileTree> open(const std::string& root, Containment containment = Containment::kernel);

  // Opens the file at `path`, which is relative and has no "." or ".." segment and no NUL (not_found
  // otherwise). Errors: not_found, also for anything that is neither file nor folder and for links that lead
  // out; invalid_argument for a folder; permission_denied; overloaded when no descriptor is left.
  Result<OpenFile> file(const std::string& path) const;

 private:
  FileTree(posix::Fd root, Containment containment) : root_(std::move(root)), containment_(containment) {}
  posix::Fd open_below(const std::string& path) const;
  posix::Fd walk(const std::string& path) const;

  posix::Fd root_;
  Containment containment_;
};

}  // namespace escapement::http
