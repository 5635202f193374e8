#include <escapement/io/bindings/durable_object.h>

namespace escapement {

Task<http::Response> DurableObject::fetch(http::Request) { co_return http::Response(404); }

Task<> DurableObject::alarm() { co_return; }

}  // namespace escapement
