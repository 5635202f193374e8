// The blocking half of files and folders: loops around system calls, for threads of a pool.

#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

#include <escapement/core/error.h>
#include <escapement/io/native/posix.h>

namespace escapement::detail {

// Makes an error of errno `number`: "read /etc/motd: No such file or directory". Its kind follows file.h.
Error file_error(int number, std::string_view verb, const std::string& path);

// Opens a file that is no folder. `flags` and `permissions` as open(2) has them; close-on-exec is added.
Result<posix::Fd> open_file(const std::string& path, int flags, unsigned permissions);

// The functions below continue after EINTR and after short reads and writes. Between two pieces they look at
// `stop`, and fail with cancelled if it was requested.

// Reads until `most` bytes are there or the file ends.
Result<std::string> read_file(int fd, const std::string& path, std::uint64_t offset, std::size_t most,
                              const std::stop_token& stop);
// Writes all bytes at `offset`.
Result<> write_file(int fd, const std::string& path, std::uint64_t offset, std::string_view bytes,
                    const std::stop_token& stop);
// Writes all bytes at the end of a file that was opened with O_APPEND.
Result<> append_to_file(int fd, const std::string& path, std::string_view bytes, const std::stop_token& stop);
// Calls fsync(2).
Result<> sync_file(int fd, const std::string& path);
// Makes the names in the folder that holds `path` durable.
Result<> sync_folder_of(const std::string& path);
// Puts a new file with these bytes in the place of `path`, in one step: File::write_all.
Result<> replace_file(const std::string& path, std::string_view bytes, unsigned permissions,
                      const std::stop_token& stop);

}  // namespace escapement::detail
