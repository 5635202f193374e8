#include <escapement/middleware/client/base_url.h>

namespace escapement::http {

namespace {

constexpr std::string_view placeholder = "http://base.invalid";

Task<Response> send_below(Url base, Request request, const Service& next) {
  std::string text = base.origin() + base.path();
  while (text.ends_with('/')) text.pop_back();
  text += request.url.target();
  if (!request.url.fragment().empty()) text += '#' + request.url.fragment();
  Url whole = co_await Url::parse(text);
  request.url = std::move(whole);
  co_return co_await next(std::move(request));
}

}  // namespace

Result<Url> relative(std::string_view path) {
  if (path.starts_with("//") || path.find("://") < path.find_first_of("/?#")) {
    return Error(Errc::invalid_argument, "a relative URL names no host: '" + std::string(path) + "'");
  }
  std::string text(placeholder);
  if (!path.starts_with('/')) text += '/';
  text += path;
  return Url::parse(text);
}

Task<Response> BaseUrl::operator()(Request request, const Service& next) const {
  const bool is_relative = request.url.host() == "base.invalid" && request.url.origin() == placeholder;
  return is_relative ? send_below(base, std::move(request), next) : next(std::move(request));
}

}  // namespace escapement::http
