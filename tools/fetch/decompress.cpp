#include "tools/fetch/decompress.h"

#include <zlib.h>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/ascii.h>

namespace escapement {

struct Decompressor::State {
  z_stream zlib{};
  bool ended = false;
  ~State() { ::inflateEnd(&zlib); }
};

Decompressor::Decompressor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Decompressor::~Decompressor() = default;

std::unique_ptr<Decompressor> Decompressor::make(std::string_view coding) {
  const bool known = equal_ignoring_case(coding, "gzip") || equal_ignoring_case(coding, "x-gzip") ||
                     equal_ignoring_case(coding, "deflate");
  if (!known) return nullptr;
  auto state = std::make_unique<State>();
  constexpr int either_kind = 15 + 32;  // the largest window; zlib or gzip, by the header
  if (::inflateInit2(&state->zlib, either_kind) != Z_OK) return nullptr;
  return std::unique_ptr<Decompressor>(new Decompressor(std::move(state)));
}

bool Decompressor::ended() const { return state_->ended; }

Result<std::string> Decompressor::decode(std::string_view piece) {
  std::string decoded;
  z_stream& zlib = state_->zlib;
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  zlib.avail_in = static_cast<uInt>(piece.size());
  while (zlib.avail_in > 0) {
    if (state_->ended) return Error(Errc::bad_message, "the compressed body goes on behind its end");
    char room[64 * KiB];
    zlib.next_out = reinterpret_cast<Bytef*>(room);
    zlib.avail_out = sizeof room;
    const int outcome = ::inflate(&zlib, Z_NO_FLUSH);
    decoded.append(room, sizeof room - zlib.avail_out);
    if (outcome == Z_STREAM_END) {
      state_->ended = true;
    } else if (outcome != Z_OK && outcome != Z_BUF_ERROR) {
      return Error(Errc::bad_message, "the compressed body is malformed");
    }
  }
  return decoded;
}

}  // namespace escapement
