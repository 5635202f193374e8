#include <escapement/middleware/server/detail/gzip.h>

#include <zlib.h>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/check.h>

namespace escapement::http {

namespace {

constexpr int gzip_window_bits = 15 + 16;  // 16: with a gzip header and trailer instead of zlib's
constexpr int memory_level = 8;
constexpr std::size_t room = 16 * KiB;

}  // namespace

struct GzipEncoder::State {
  State() = default;
  State(const State&) = delete;
  ~State() { ::deflateEnd(&stream); }
  z_stream stream{};
};

GzipEncoder::GzipEncoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
GzipEncoder::~GzipEncoder() = default;

std::unique_ptr<GzipEncoder> GzipEncoder::make(int level) {
  auto state = std::make_unique<State>();
  const int made =
      ::deflateInit2(&state->stream, level, Z_DEFLATED, gzip_window_bits, memory_level, Z_DEFAULT_STRATEGY);
  if (made != Z_OK) return nullptr;
  return std::unique_ptr<GzipEncoder>(new GzipEncoder(std::move(state)));
}

void GzipEncoder::encode(std::string& to, std::string_view bytes, Flush flush) {
  z_stream& stream = state_->stream;
  const int mode = flush == Flush::finish ? Z_FINISH : flush == Flush::sync ? Z_SYNC_FLUSH : Z_NO_FLUSH;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write there
  stream.avail_in = static_cast<uInt>(bytes.size());
  ESC_CHECK(stream.avail_in == bytes.size());
  do {
    const std::size_t before = to.size();
    to.resize(before + room);
    stream.next_out = reinterpret_cast<Bytef*>(to.data() + before);
    stream.avail_out = static_cast<uInt>(room);
    const int outcome = ::deflate(&stream, mode);
    to.resize(before + room - stream.avail_out);
    ESC_CHECK(outcome == Z_OK || outcome == Z_STREAM_END || outcome == Z_BUF_ERROR);
  } while (stream.avail_out == 0);
}

}  // namespace escapement::http
