// Where the host's fetch decodes.

#include <escapement/middleware/client/decompress.h>

namespace escapement::http {

ESC_CORO_WRAPPER Task<Response> Decompress::operator()(Request request, const Service& next) const {
  return next(std::move(request));
}

}  // namespace escapement::http
