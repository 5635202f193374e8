// Folder: lists a folder on the threads of a pool; make_folder and remove_folder.
//
//     Folder folder = co_await Folder::open(pool, "/var/spool");
//     while (std::optional<FolderEntry> entry = co_await folder.next()) {
//       if (entry->kind == FolderEntry::Kind::file) handle(entry->name);
//     }
//
// Errors, cancellation and the pool: as in file.h.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/io/native/thread_pool.h>

namespace escapement {

// An entry of a folder: a name in it, and the kind of thing it names.
struct FolderEntry {
  // The kinds, as lstat(2) tells them apart.
  enum class Kind {
    file,    // a regular one
    folder,  // its own content is not listed
    link,    // symbolic; it is not followed
    other,   // a device, a FIFO, a socket
    gone,    // removed while the folder was listed, on file systems that do not list kinds
  };
  // For tests.
  FolderEntry() {}
  FolderEntry(std::string n, Kind k) : name(std::move(n)), kind(k) {}
  std::string name;         // without the folder's path; any bytes but '/' and NUL
  Kind kind = Kind::other;  // when it was listed
};

// A folder that is being listed. Its entries come in the file system's order, without "." and "..". Entries
// that are added or removed meanwhile may be listed or not (readdir(3)). A sequence: `next` yields nullopt at
// the end.
class Folder {
 public:
  // Opens the folder at `path`. Fails with not_found (ENOTDIR) if it is none.
  static Task<Folder> open(ThreadPool& pool, std::string path);
  Folder(Folder&&) noexcept;
  Folder& operator=(Folder&&) noexcept;
  ~Folder();

  // Yields the next entry; nullopt at the end, from then on. Goes to the pool for every 256th entry only.
  // Must not be called while another call has not ended, and this must outlive it. Cancelling it loses no
  // entry.
  Task<std::optional<FolderEntry>> next();

 private:
  struct Open;
  Folder(ThreadPool& pool, std::shared_ptr<Open> open);

  ThreadPool* pool_;
  std::shared_ptr<Open> open_;  // empty after the end
  std::vector<FolderEntry> read_;
  std::size_t taken_ = 0;
};

// Makes a folder. Fails with invalid_argument (EEXIST) if there is something of that name.
Task<> make_folder(ThreadPool& pool, std::string path, unsigned permissions = 0777);
// Makes a folder and those above it that are missing. Succeeds if there is one already.
Task<> make_folders(ThreadPool& pool, std::string path, unsigned permissions = 0777);
// Removes an empty folder. Fails with invalid_argument (ENOTEMPTY) for another one.
Task<> remove_folder(ThreadPool& pool, std::string path);

}  // namespace escapement
