#include <brotli/decode.h>

#include <escapement/middleware/client/detail/decoder.h>

namespace escapement::http::detail {

namespace {

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder() : state_(::BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  BrotliDecoder(const BrotliDecoder&) = delete;
  ~BrotliDecoder() override { ::BrotliDecoderDestroyInstance(state_); }
  bool begun() const { return state_ != nullptr; }

  Result<> decode(std::string_view& input, std::string& to, std::size_t most) override {
    if (complete() && !input.empty()) {
      return Error(Errc::bad_message, "the compressed body goes on behind its end");
    }
    std::size_t left = input.size();
    const auto* from = reinterpret_cast<const std::uint8_t*>(input.data());
    const std::size_t before = to.size();
    to.resize(before + most);
    auto* out = reinterpret_cast<std::uint8_t*>(to.data() + before);
    std::size_t room = most;
    const BrotliDecoderResult outcome =
        ::BrotliDecoderDecompressStream(state_, &left, &from, &room, &out, nullptr);
    to.resize(before + most - room);
    input.remove_prefix(input.size() - left);
    if (outcome != BROTLI_DECODER_RESULT_ERROR) return {};
    const BrotliDecoderErrorCode code = ::BrotliDecoderGetErrorCode(state_);
    return Error(Errc::bad_message,
                 std::string("the compressed body is damaged: ") + ::BrotliDecoderErrorString(code));
  }
  bool complete() const override { return ::BrotliDecoderIsFinished(state_) != 0; }

 private:
  BrotliDecoderState* state_;
};

}  // namespace

std::unique_ptr<Decoder> make_brotli_decoder() {
  auto decoder = std::make_unique<BrotliDecoder>();
  if (!decoder->begun()) return nullptr;
  return decoder;
}

std::string_view brotli_coding() { return ", br"; }

}  // namespace escapement::http::detail
