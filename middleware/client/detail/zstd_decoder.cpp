#include <zstd.h>

#include <escapement/middleware/client/detail/decoder.h>

namespace escapement::http::detail {

namespace {

constexpr int window_log_max = 23;  // 8 MiB, which RFC 9659 sets for HTTP

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : stream_(::ZSTD_createDStream()) {
    if (stream_ != nullptr) ::ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, window_log_max);
  }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ~ZstdDecoder() override { ::ZSTD_freeDStream(stream_); }
  bool begun() const { return stream_ != nullptr; }

  // Frames may follow each other; the library goes on to the next one by itself.
  Result<> decode(std::string_view& input, std::string& to, std::size_t most) override {
    if (complete_ && input.empty()) return {};
    const std::size_t before = to.size();
    to.resize(before + most);
    ZSTD_inBuffer from{input.data(), input.size(), 0};
    ZSTD_outBuffer out{to.data() + before, most, 0};
    const std::size_t outcome = ::ZSTD_decompressStream(stream_, &out, &from);
    to.resize(before + out.pos);
    input.remove_prefix(from.pos);
    complete_ = outcome == 0;
    if (::ZSTD_isError(outcome) == 0) return {};
    return Error(Errc::bad_message,
                 std::string("the compressed body is damaged: ") + ::ZSTD_getErrorName(outcome));
  }
  bool complete() const override { return complete_; }

 private:
  ZSTD_DStream* stream_;
  bool complete_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder() {
  auto decoder = std::make_unique<ZstdDecoder>();
  if (!decoder->begun()) return nullptr;
  return decoder;
}

std::string_view zstd_coding() { return ", zstd"; }

}  // namespace escapement::http::detail
