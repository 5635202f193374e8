// Bodies made from parts of an open file.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/message.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/thread_pool.h>
#include <escapement/middleware/files/byte_ranges.h>

namespace escapement::http {

// Returns a body that reads `range` of the file in pieces of `piece` bytes, each once the previous one has
// been sent, so a slow client costs one piece of memory. Without a pool, reading blocks the thread when the
// page cache has to fetch from the disk, and the body offers its descriptor (BodySource::file_range). With
// one, all reading is done there.
//
// The body fails if the file has become shorter or cannot be read: incomplete content never looks complete.
Body file_body(std::shared_ptr<const posix::Fd> file, ByteRange range, std::size_t piece, ThreadPool* pool);

// Reads all of `range` at once, on this thread. Errors: as the body above.
Result<std::string> read_whole(const posix::Fd& file, ByteRange range);

// The text between the parts of a multipart/byteranges body (RFC 9110 section 14.6).
class RangeBorders {
 public:
  RangeBorders(std::string b, std::string type) : boundary(std::move(b)), content_type(std::move(type)) {}
  std::string boundary;
  std::string content_type;  // of the whole file; empty: none
};

// Returns several ranges of a file of `size` bytes as one body of known length.
Body multipart_body(std::shared_ptr<const posix::Fd> file, std::uint64_t size,
                    const std::vector<ByteRange>& ranges, const RangeBorders& borders, std::size_t piece,
                    ThreadPool* pool);

// Returns "bytes 0-4/10".
std::string content_range(ByteRange range, std::uint64_t size);

}  // namespace escapement::http
