#include <escapement/io/bindings/response_cache.h>

#include <escapement/io/http/h1/writer.h>

namespace escapement {

Result<> ResponseCache::check_put(const http::Response& response) {
  if (response.status == 206) return Error(Errc::invalid_argument, "a cache keeps no response 206");
  if (Result<> sendable = http::check_response(response, false); !sendable) return sendable;
  const std::string vary = response.headers.joined("vary").value_or(std::string());
  if (vary.find('*') == vary.npos) return {};
  return Error(Errc::invalid_argument, "a cache keeps no response with Vary: *");
}

Result<> ResponseCache::check_conditions(const http::Headers& conditions) {
  Result<> checked;
  conditions.each([&checked](std::string_view name, std::string_view value) {
    if (!checked || (http::is_token(name) && http::is_field_value(value))) return;
    checked = Error(Errc::invalid_argument, "the field " + std::string(name) + " is none");
  });
  return checked;
}

}  // namespace escapement
