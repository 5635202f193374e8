// Without ESC_ZSTD.

#include <escapement/middleware/client/detail/decoder.h>

namespace escapement::http::detail {

std::unique_ptr<Decoder> make_zstd_decoder() { return nullptr; }
std::string_view zstd_coding() { return {}; }

}  // namespace escapement::http::detail
