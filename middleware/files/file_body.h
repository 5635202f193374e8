// file_body: a file as the content of a message, read on the threads of a pool.
//
//     File file = co_await File::open(pool, "report.pdf");
//     Body body = co_await whole_file_body(file);
//     co_return Response(200, Headers{{"Content-Type", "application/pdf"}}, std::move(body));
//
// StaticFiles (static_files.h) serves a folder with all that HTTP knows about files.

#pragma once

#include <cstddef>

#include <escapement/core/bytes.h>
#include <escapement/io/http/message.h>
#include <escapement/io/native/file.h>
#include <escapement/middleware/files/byte_ranges.h>

namespace escapement::http {

// Returns a body that reads `range` of the file in pieces of `piece` bytes (1 or more), each once the
// previous one has been sent, so a slow client costs one piece of memory. Its length is known: Content-Length
// is sent. The body keeps the file open.
//
// The body fails, and the connection with it, if the file cannot be read or is shorter than the range:
// incomplete content never looks complete. Reading never blocks the loop; so the file is not sent by
// sendfile(2), which would wait for the disk on the loop's thread.
Body file_body(File file, ByteRange range, std::size_t piece = 64 * KiB);

// Returns a body of the whole file, as long as it is now. An operation on the pool: fails as File::size.
Task<Body> whole_file_body(File file, std::size_t piece = 64 * KiB);

}  // namespace escapement::http
