#include <escapement/middleware/client/decompress.h>

#include <algorithm>
#include <vector>

#include <escapement/core/bytes.h>
#include <escapement/middleware/client/detail/decoder.h>

namespace escapement::http {

namespace {

constexpr std::size_t decoded_piece = 64 * KiB;
constexpr std::size_t codings_max = 3;

class DecodedSource final : public BodySource {
 public:
  DecodedSource(Body body, std::unique_ptr<detail::Decoder> decoder, Decompress limits)
      : body_(std::move(body)), decoder_(std::move(decoder)), limits_(limits) {}

  Task<std::string> read() override {
    std::string decoded;
    while (decoded.empty()) {
      if (left_.empty() && !room_left_) {
        if (ended_) co_return std::string();
        input_ = co_await body_.read();
        left_ = input_;
        taken_ += input_.size();
        ended_ = input_.empty();
        if (ended_ && taken_ > 0 && !decoder_->complete()) {
          co_return Error(Errc::bad_message, "the compressed body ends early");
        }
        if (ended_) co_return std::string();
      }
      co_await decoder_->decode(left_, decoded, decoded_piece);
      room_left_ = decoded.size() == decoded_piece;  // the decoder may have more
    }
    given_ += decoded.size();
    co_await within_limits();
    co_return std::move(decoded);
  }
  Headers trailers() override { return body_.trailers(); }

 private:
  Result<> within_limits() const {
    if (given_ > limits_.bytes_max) {
      return Error(Errc::limit_exceeded,
                   "the decoded body has more than " + std::to_string(limits_.bytes_max) + " bytes");
    }
    const std::uint64_t ratio_max = std::max<std::uint64_t>(1, limits_.ratio_max);
    if (given_ > limits_.ratio_from && given_ / ratio_max > taken_) {
      return Error(Errc::limit_exceeded, "the decoded body has more than " + std::to_string(ratio_max) +
                                             " times the bytes of the compressed one");
    }
    return {};
  }

  Body body_;
  std::unique_ptr<detail::Decoder> decoder_;
  Decompress limits_;
  std::string input_;
  std::string_view left_;  // of the input
  bool room_left_ = false;
  bool ended_ = false;
  std::uint64_t taken_ = 0;  // compressed bytes
  std::uint64_t given_ = 0;  // decoded bytes
};

std::unique_ptr<detail::Decoder> decoder_for(std::string_view coding) {
  const auto is = [coding](std::string_view name) { return equal_ignoring_case(coding, name); };
  if (is("gzip") || is("x-gzip")) return detail::make_gzip_decoder();
  if (is("deflate")) return detail::make_deflate_decoder();
  if (is("br")) return detail::make_brotli_decoder();
  if (is("zstd")) return detail::make_zstd_decoder();
  return nullptr;
}

// Returns what undoes the codings, the last one first; nothing if one of them is not known.
std::vector<std::unique_ptr<detail::Decoder>> decoders_for(std::string_view codings) {
  std::vector<std::unique_ptr<detail::Decoder>> decoders;
  while (!codings.empty()) {
    const std::size_t comma = std::min(codings.find(','), codings.size());
    const std::string_view coding = without_white_space(codings.substr(0, comma));
    codings.remove_prefix(std::min(codings.size(), comma + 1));
    if (coding.empty() || equal_ignoring_case(coding, "identity")) continue;
    std::unique_ptr<detail::Decoder> decoder = decoder_for(coding);
    if (decoder == nullptr || decoders.size() == codings_max) return {};
    decoders.push_back(std::move(decoder));
  }
  std::reverse(decoders.begin(), decoders.end());
  return decoders;
}

}  // namespace

Task<Response> Decompress::operator()(Request request, const Service& next) const {
  if (request.headers.has("accept-encoding") || request.headers.has("range")) {
    co_return co_await next(std::move(request));
  }
  std::string codings = "gzip, deflate";
  codings.append(detail::brotli_coding()).append(detail::zstd_coding());
  request.headers.set("Accept-Encoding", codings);
  const bool head_only = request.method == Method::head();
  const Decompress limits = *this;
  Response response = co_await next(std::move(request));
  if (head_only || response.status == 206 || !may_have_content(response.status))
    co_return std::move(response);
  const std::optional<std::string> coded = response.headers.joined("content-encoding");
  if (!coded) co_return std::move(response);
  std::vector<std::unique_ptr<detail::Decoder>> decoders = decoders_for(*coded);
  if (decoders.empty()) co_return std::move(response);
  response.headers.remove("content-encoding");
  response.headers.remove("content-length");
  for (std::unique_ptr<detail::Decoder>& decoder : decoders) {
    Body compressed = std::move(response.body);
    response.body = Body(std::make_unique<DecodedSource>(std::move(compressed), std::move(decoder), limits));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
