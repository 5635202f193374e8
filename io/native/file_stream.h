// file_stream: a file as a Stream, for code that reads or writes any stream.
//
//     File file = co_await File::open(pool, "upload.part", OpenOptions::write());
//     std::unique_ptr<Stream> to = file_stream(file);
//     co_await copy(*from, *to);

#pragma once

#include <cstdint>
#include <memory>

#include <escapement/io/native/file.h>
#include <escapement/io/stream.h>

namespace escapement {

// The places where a file stream begins. Reading and writing go on independently of each other.
struct FilePositions {
  std::uint64_t read = 0;   // in bytes from the start of the file
  std::uint64_t write = 0;  // without meaning for a file that was opened to append
};

// Returns a stream that reads the file from one position to its end, and writes from another one on.
//
// - `read` gets up to 64 KiB from the pool at a time, ahead of what is asked for; bytes that are written
// there
//   afterwards may be missed. Its end is for ever, even if the file grows later. Cancelling loses no bytes.
// - `write` copies at most 256 KiB at a time, because the pool may write when the caller's bytes are gone.
//   Cancelling leaves an unknown part written, as with every stream. Destroying the stream does not undo or
//   stop what the pool writes just then.
// - `shutdown_write` ends writing, and says nothing about the disk: use File::sync on a copy of the file.
// - Failures are those of File, with their kinds: overloaded for a full disk, for example.
// - `watch`, `read_now` and `write_now` work as for a stream that has none of them, except that `read_now`
//   gives bytes that were read ahead. `peer` is the path.
std::unique_ptr<Stream> file_stream(File file, FilePositions from = FilePositions());

}  // namespace escapement
