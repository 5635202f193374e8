// Without ESC_BROTLI.

#include <escapement/middleware/client/detail/decoder.h>

namespace escapement::http::detail {

std::unique_ptr<Decoder> make_brotli_decoder() { return nullptr; }
std::string_view brotli_coding() { return {}; }

}  // namespace escapement::http::detail
