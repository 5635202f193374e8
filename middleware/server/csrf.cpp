#include <escapement/middleware/server/csrf.h>

#include <algorithm>

namespace escapement::http {

bool Csrf::passes(const Request& request) const {
  const bool reads = request.method == Method::get() || request.method == Method::head() ||
                     request.method == Method::options();
  if (reads) return true;
  const std::string_view origin = request.headers.get_or("Origin", "");
  if (std::ranges::find(options_.trusted_origins, origin) != options_.trusted_origins.end()) return true;
  const std::string_view site = request.headers.get_or("Sec-Fetch-Site", "");
  if (!site.empty()) return site == "same-origin" || site == "none";
  if (origin.empty()) return true;
  const std::size_t host_at = origin.find("://");
  if (host_at == std::string_view::npos) return false;
  return equal_ignoring_case(origin.substr(host_at + 3),
                             request.headers.get_or("Host", request.url.authority()));
}

Task<Response> Csrf::operator()(Request request, const Service& next) const {
  if (passes(request)) return next(std::move(request));
  return [](std::string text) -> Task<Response> {
    co_return Response(403, Headers{{"Content-Type", "text/plain"}}, std::move(text));
  }("a page of another origin may not do that\n");
}

}  // namespace escapement::http
