// Decoder: undoes one content coding, piece by piece.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement::http::detail {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Takes bytes from the beginning of `input`, and appends at most `most` decoded ones to `to`; at least one
  // happens, unless `input` is empty. Fails with bad_message if the data are damaged.
  virtual Result<> decode(std::string_view& input, std::string& to, std::size_t most) = 0;
  // Returns whether the data may end here.
  virtual bool complete() const = 0;
};

// Each is null without memory, or if the library was built without it.
std::unique_ptr<Decoder> make_gzip_decoder();
std::unique_ptr<Decoder> make_deflate_decoder();
std::unique_ptr<Decoder> make_brotli_decoder();
std::unique_ptr<Decoder> make_zstd_decoder();

// Returns the codings that can be decoded, for Accept-Encoding.
std::string_view brotli_coding();  // ", br", or empty
std::string_view zstd_coding();    // ", zstd", or empty

}  // namespace escapement::http::detail
