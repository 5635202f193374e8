// Compress: compresses responses by gzip, if the client accepts it and it is worthwhile.

#pragma once

#include <memory>

#include <escapement/io/http/service.h>

namespace escapement::http {

// Compresses response bodies as Accept-Encoding allows (accept_encoding.h), if their Content-Type is worth it
// (content_type.h). Leaves alone: bodies known to be shorter than `length_min`, those with a Content-Encoding
// or Content-Range, "Cache-Control: no-transform", the statuses 204, 206 and 304. Adds
// "Vary: Accept-Encoding" to a response that could be sent in either form. Removes Content-Length and
// Accept-Ranges from a compressed one and makes its ETag weak; also the ETag of a 304 to a client that
// accepts gzip and names the weak one. If such a client names no ETag, only a date, the inner service is also
// asked for the head of the 200 (HEAD, without the conditions): a 304 carries the ETag of its 200.
//
// A stream of unknown length is flushed with every piece that its source yields, so that server-sent events
// are not held back; this costs some 5 bytes a piece. Long bodies are compressed 8 KiB at a time, and yield
// to other tasks once the reactor's turn has lasted 500 us. Each response in flight holds about 260 KB until
// its client has taken all of it; when `streams_max` do, further responses are sent uncompressed.
//
// Do not put secrets and text that others control into one compressed response: its length leaks them
// (BREACH).
struct Compress {
  int level = 6;                  // 1 (fast) to 9 (small)
  std::size_t length_min = 1024;  // shorter bodies are sent as they are
  std::size_t streams_max = 256;  // compressed responses in flight
  // The number of streams in flight, shared by copies of the layer.
  std::shared_ptr<std::size_t> streams = std::make_shared<std::size_t>(0);

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
