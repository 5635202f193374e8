#include <escapement/middleware/server/cors.h>

#include <algorithm>

namespace escapement::http {

namespace {

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& each : list) text += (text.empty() ? "" : ", ") + each;
  return text;
}

void vary_by(Headers& headers, std::string_view name) {
  const std::optional<std::string> vary = headers.joined("Vary");
  if (vary && (list_contains(*vary, name) || list_contains(*vary, "*"))) return;
  headers.add("Vary", std::string(name));
}

}  // namespace

Cors::Cors(CorsOptions options)
    : options_(std::move(options)), any_origin_(options_.origins == std::vector<std::string>{"*"}) {
  ESC_CHECK(!any_origin_ || !options_.credentials, "credentials need the origins by name");
}

bool Cors::allows(std::string_view origin) const {
  return any_origin_ || std::ranges::find(options_.origins, origin) != options_.origins.end();
}

void Cors::add_origin(Headers& headers, std::string_view origin) const {
  headers.set("Access-Control-Allow-Origin", any_origin_ ? "*" : origin);
  if (options_.credentials) headers.set("Access-Control-Allow-Credentials", "true");
}

Response Cors::preflight(const Request& request, std::string_view origin) const {
  Response response(204);
  vary_by(response.headers, "Origin");
  const std::string_view method = request.headers.get_or("Access-Control-Request-Method", "");
  if (!allows(origin) || std::ranges::find(options_.methods, method) == options_.methods.end()) {
    response.status = 403;
    return response;
  }
  add_origin(response.headers, origin);
  response.headers.set("Access-Control-Allow-Methods", joined(options_.methods));
  if (!options_.request_fields.empty()) {
    response.headers.set("Access-Control-Allow-Headers", joined(options_.request_fields));
  }
  response.headers.set("Access-Control-Max-Age", std::to_string(options_.max_age / Duration(1s)));
  return response;
}

Task<Response> Cors::operator()(Request request, const Service& next) const {
  const std::string origin(request.headers.get_or("Origin", ""));
  const bool asks_first =
      request.method == Method::options() && request.headers.has("Access-Control-Request-Method");
  if (!origin.empty() && asks_first) co_return preflight(request, origin);
  Response response = co_await next(std::move(request));
  if (!any_origin_) vary_by(response.headers, "Origin");
  if (origin.empty() || !allows(origin)) co_return std::move(response);
  add_origin(response.headers, origin);
  if (!options_.response_fields.empty()) {
    response.headers.set("Access-Control-Expose-Headers", joined(options_.response_fields));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
