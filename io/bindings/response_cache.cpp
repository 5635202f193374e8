#include <escapement/io/bindings/response_cache.h>

namespace escapement {

Result<> ResponseCache::check_put(const http::Response& response) {
  if (response.status == 206) return Error(Errc::invalid_argument, "a cache keeps no response 206");
  const std::string vary = response.headers.joined("vary").value_or(std::string());
  if (vary.find('*') == vary.npos) return {};
  return Error(Errc::invalid_argument, "a cache keeps no response with Vary: *");
}

}  // namespace escapement
