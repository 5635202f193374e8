// Decompress: asks for compressed responses, and decodes them as they are read.

#pragma once

#include <cstdint>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// Adds Accept-Encoding to requests, and decodes responses by their Content-Encoding: gzip, deflate (with
// zlib's header, or raw, as some servers send it), and br and zstd where the library was built with
// ESC_BROTLI and ESC_ZSTD. Several codings are undone one by one, up to three. Content-Encoding and
// Content-Length are removed from a response that is decoded; its ETag stays, as a server takes it back.
//
// Leaves alone: requests that bring an Accept-Encoding of their own, which want to see what comes, or a
// Range; responses with a coding that it does not know, to HEAD, and with 204, 206 and 304.
//
// Bodies are decoded as they are read, 64 KiB at a time, with back-pressure. Reading fails with
// - bad_message if the compressed data are damaged, or end early: an incomplete body is never a shorter one;
// - limit_exceeded beyond `bytes_max`, or if more than `ratio_from` bytes came and they are more than
// `ratio_max`
//   times as many as the compressed ones: a small response must not fill the memory (a "zip bomb").
//
// On wasm the host's fetch asks for and decodes compressed bodies by itself; there this layer changes
// nothing, so that the same source works.
//
//     const Service api = layered(Retry{}, Decompress{}, client);
//
// Sources: RFC 9110 section 8.4, RFC 1950 to 1952, 7932, 8878.
struct Decompress {
  static constexpr LayerRole role = LayerRole::decompress;  // layer_order.h

  std::uint64_t bytes_max = 1ULL << 30;   // of a decoded body
  std::uint64_t ratio_max = 200;          // decoded bytes for each compressed one; at least 1
  std::uint64_t ratio_from = 1ULL << 20;  // fewer decoded bytes may have any ratio

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
