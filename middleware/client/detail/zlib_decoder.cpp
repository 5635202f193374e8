#include <zlib.h>

#include <algorithm>

#include <escapement/core/bytes.h>
#include <escapement/middleware/client/detail/decoder.h>

namespace escapement::http::detail {

namespace {

constexpr int window_bits = 15;
constexpr int gzip_header = 16;  // added to them: a gzip header and trailer instead of zlib's

Error damaged(const z_stream& stream) {
  return Error(Errc::bad_message, std::string("the compressed body is damaged: ") +
                                      (stream.msg != nullptr ? stream.msg : "no such data"));
}

class ZlibDecoder : public Decoder {
 public:
  ZlibDecoder() = default;
  ZlibDecoder(const ZlibDecoder&) = delete;
  ~ZlibDecoder() override {
    if (begun_) ::inflateEnd(&stream_);
  }

  bool begin(int bits) { return begun_ = ::inflateInit2(&stream_, bits) == Z_OK; }
  bool begun() const { return begun_; }

  Result<> decode(std::string_view& input, std::string& to, std::size_t most) override {
    // A gzip body may have several members, one behind the other (RFC 1952 section 2.2).
    if (complete_ && !input.empty()) {
      if (!members_ || ::inflateReset(&stream_) != Z_OK) {
        return Error(Errc::bad_message, "the compressed body goes on behind its end");
      }
      complete_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));  // zlib does not write there
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(input.size(), 1 << 30));
    const uInt given = stream_.avail_in;
    const std::size_t before = to.size();
    to.resize(before + most);
    stream_.next_out = reinterpret_cast<Bytef*>(to.data() + before);
    stream_.avail_out = static_cast<uInt>(most);
    const int outcome = ::inflate(&stream_, Z_NO_FLUSH);
    to.resize(before + most - stream_.avail_out);
    input.remove_prefix(given - stream_.avail_in);
    if (outcome == Z_STREAM_END) complete_ = true;
    if (outcome == Z_MEM_ERROR) return Error::out_of_memory();
    const bool fine = outcome == Z_OK || outcome == Z_STREAM_END || outcome == Z_BUF_ERROR;
    if (!fine) return damaged(stream_);
    return {};
  }
  bool complete() const override { return complete_; }

 protected:
  bool members_ = false;

 private:
  z_stream stream_{};
  bool begun_ = false;
  bool complete_ = false;
};

class GzipDecoder final : public ZlibDecoder {
 public:
  GzipDecoder() { members_ = true; }
};

// Looks at the first two bytes, whether they are zlib's header (RFC 1950 section 2.2): some servers send
// none.
class DeflateDecoder final : public ZlibDecoder {
 public:
  Result<> decode(std::string_view& input, std::string& to, std::size_t most) override {
    if (begun() && beginning_.empty()) return ZlibDecoder::decode(input, to, most);
    while (beginning_.size() < 2 && !input.empty()) {
      beginning_ += input.front();
      input.remove_prefix(1);
    }
    if (beginning_.size() < 2) return {};
    if (!begun()) {
      const unsigned first = static_cast<unsigned char>(beginning_[0]);
      const unsigned second = static_cast<unsigned char>(beginning_[1]);
      const bool has_header = (first & 15) == 8 && (first * 256 + second) % 31 == 0;
      if (!begin(has_header ? window_bits : -window_bits)) return Error::out_of_memory();
    }
    std::string_view two = beginning_;
    Result<> decoded = ZlibDecoder::decode(two, to, most);
    beginning_.erase(0, beginning_.size() - two.size());
    return decoded;
  }
  bool complete() const override { return beginning_.empty() && ZlibDecoder::complete(); }

 private:
  std::string beginning_;  // the part of the first two bytes that is not decoded yet
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder() {
  auto decoder = std::make_unique<GzipDecoder>();
  if (!decoder->begin(window_bits + gzip_header)) return nullptr;
  return decoder;
}

std::unique_ptr<Decoder> make_deflate_decoder() { return std::make_unique<DeflateDecoder>(); }

}  // namespace escapement::http::detail
