#include <escapement/middleware/client/detail/drain.h>

namespace escapement::http::detail {

bool worth_draining(const Body&) { return false; }

Task<> drain(Body) { co_return; }

}  // namespace escapement::http::detail
