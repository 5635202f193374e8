// Bodies made of parts of an open file.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/message.h>
#include <escapement/io/native/posix.h>
#include <escapement/middleware/files/byte_ranges.h>

namespace escapement::http {

// `range` of the file, read in pieces of `piece` bytes, each when the one before has been sent: a slow client
// costs one piece of memory. Reading blocks the thread where the page cache has to fetch from the disk.
//
// A file that became shorter, or cannot be read, fails the body: what is incomplete never looks whole.
Body file_body(std::shared_ptr<const posix::Fd> file, ByteRange range, std::size_t piece);

// `range` of the file at once. Fails as the body above does.
Result<std::string> read_whole(const posix::Fd& file, ByteRange range);

// What stands between the parts of a multipart/byteranges body (RFC 9110 section 14.6).
class Multipart {
 public:
  Multipart(std::string b, std::string type) : boundary(std::move(b)), content_type(std::move(type)) {}
  std::string boundary;
  std::string content_type;  // of the whole; empty: none
};

// Several ranges of a file of `size` bytes as one body; its length is known.
Body multipart_body(std::shared_ptr<const posix::Fd> file, std::uint64_t size,
                    const std::vector<ByteRange>& ranges, const Multipart& multipart, std::size_t piece);

// "bytes 0-4/10"
std::string content_range(ByteRange range, std::uint64_t size);

}  // namespace escapement::http
