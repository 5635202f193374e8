#include <escapement/io/tls/tls.h>

namespace escapement {

std::string embedded_roots() { return {}; }

}  // namespace escapement
