// File: reads and writes files on the threads of a pool, so that a slow disk does not block the loop.
//
//     std::string text = co_await File::read_all(pool, "/etc/motd", 1 * MiB);
//     co_await File::write_all(pool, "state.json", json);  // the old content or the new, never a part
//
//     File file = co_await File::open(pool, "records", OpenOptions::read_write());
//     std::string record = co_await file.read_at(4096, 512);
//     co_await file.write_at(4096, std::move(record));
//
// Every function that returns a task is one trip to the pool (offload.h), and fails with overloaded, and with
// nothing done, if the pool's queue is full. Bytes are passed as strings, which belong to the work that reads
// or writes them: cancelling a task leaves no thread behind that writes into memory of the caller's. A call
// that is cancelled before it has begun does nothing; one that runs ends at its next piece of 256 KiB, with
// an unknown part done.
//
// Errors carry the path and the system's text ("open /tmp/x: No such file or directory") and its number
// (Error::os_number):
//   not_found          there is no such file, or a part of the path is no folder
//   permission_denied  also: the file system is read-only
//   invalid_argument   it exists already (EEXIST), is a folder (EISDIR), the name is too long, contains NUL
//   limit_exceeded     larger than the caller's limit, or than the system's (EFBIG)
//   overloaded         no space, no quota, no descriptors, no memory
//   unavailable        an I/O error (EIO), or busy
//
// Files are closed on exec. Opening never waits for the other end of a FIFO. Native only.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <escapement/core/task.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/thread_pool.h>

namespace escapement {

// The way in which File::open opens: made by one of the five functions, and perhaps changed.
class OpenOptions {
 public:
  OpenOptions() {}
  // For an existing file.
  static OpenOptions read() { return OpenOptions(); }
  static OpenOptions read_write() { return OpenOptions(true, true); }
  // For a file that may be missing; it is created then. `write` empties an existing one, `append` does not.
  static OpenOptions write();
  static OpenOptions append();
  // For a new file: invalid_argument (EEXIST) if there is one of that name, or a link.
  static OpenOptions create();

  bool reads = true;            // File::read_at may be used
  bool writes = false;          // File::write_at and truncate may be used
  bool appends = false;         // File::append may be used, and nothing else that writes
  bool creates = false;         // if it is missing
  bool exclusive = false;       // with creates: fail if it is not missing
  bool truncates = false;       // to no bytes
  unsigned permissions = 0666;  // of a file that is created, less the process's umask

 private:
  OpenOptions(bool r, bool w) : reads(r), writes(w) {}
};

// An open file. Copies share it; it is closed when the last copy, and the last work on it, is gone. The tasks
// it returns do not refer to this object. The pool must outlive the calls.
class File {
 public:
  // Opens `path`. Fails for a folder (EISDIR).
  static Task<File> open(ThreadPool& pool, std::string path, OpenOptions options = OpenOptions());

  // Returns the content of the file at `path`. Fails with limit_exceeded if that is more than `limit` bytes,
  // without having read more than one byte beyond it.
  static Task<std::string> read_all(ThreadPool& pool, std::string path, std::size_t limit);

  // Replaces the content of `path`, or creates it, in one step: a reader finds the old content or the
  // new, also after a crash. Writes a file beside it ("PATH.new-..."), syncs it, renames it and syncs the
  // folder; after a failure or a cancellation the old file is as it was, and the new one is removed. (If only
  // the last sync fails, the new one is in place.) The new file has `permissions`, less the umask, and is
  // this process's, whatever the old one was. A symbolic link is replaced, not followed.
  static Task<> write_all(ThreadPool& pool, std::string path, std::string bytes, unsigned permissions = 0666);

  // Reads `most` bytes from `offset` on; fewer only if the file ends before, none behind its end. Allocates
  // no more than the file is expected to have.
  Task<std::string> read_at(std::uint64_t offset, std::size_t most) const;
  // Writes all of `bytes` at `offset`; a gap behind the old end reads as zeros. After a failure an unknown
  // part is written.
  Task<> write_at(std::uint64_t offset, std::string bytes) const;
  // Writes all of `bytes` at the end, wherever that is by then (O_APPEND). The file must have been opened to
  // append (invalid_argument otherwise).
  Task<> append(std::string bytes) const;

  // Yields how many bytes it has.
  Task<std::uint64_t> size() const;
  // Makes the file `size` bytes long: cuts it off, or adds zeros.
  Task<> truncate(std::uint64_t size) const;
  // Returns when everything that was written is on the disk (fsync(2)). After it has failed, what was written
  // since the last success may be lost, even if a later call succeeds.
  Task<> sync() const;

  // Returns the path that it was opened by.
  const std::string& path() const { return open_->path; }
  // Returns whether it was opened to append.
  bool appends() const { return open_->appends; }
  // Returns the descriptor, which stays this object's.
  int fd() const { return open_->fd.get(); }

 private:
  struct Open {
    Open(posix::Fd f, std::string p, bool a) : fd(std::move(f)), path(std::move(p)), appends(a) {}
    posix::Fd fd;
    std::string path;
    bool appends;
  };
  using Shared = std::shared_ptr<const Open>;

  File(ThreadPool& pool, Shared open) : pool_(&pool), open_(std::move(open)) {}
  static Task<std::string> read(ThreadPool& pool, Shared open, std::uint64_t offset, std::size_t most);
  static Task<> write(ThreadPool& pool, Shared open, std::uint64_t offset, std::string bytes);
  // Calls `call(file, stop)` on the pool.
  template <class Call>
  static auto on_pool(ThreadPool& pool, Shared open, Call call);

  ThreadPool* pool_;
  Shared open_;
};

// --- Names. Errors as above.

// Removes the name of a file, or of a link, but not of a folder (remove_folder in folder.h).
Task<> remove_file(ThreadPool& pool, std::string path);
// Gives a file or folder another name, in one step; a file of that name is replaced. Both must be on one file
// system (unsupported otherwise). To survive a crash, sync the file before.
Task<> rename_file(ThreadPool& pool, std::string from, std::string to);

}  // namespace escapement
