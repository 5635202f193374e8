#include <escapement/middleware/client/redirect.h>

#include <vector>

namespace escapement::http {

namespace {

bool is_followed(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool becomes_get(int status, const Method& method) {
  if (status == 303) return method != Method::get() && method != Method::head();
  return (status == 301 || status == 302) && method == Method::post();
}

void drop_body(Request& request) {
  request.method = Method::get();
  request.body = Body();
  for (const char* name : {"content-type", "content-length", "content-encoding", "content-language",
                           "content-location", "transfer-encoding"}) {
    request.headers.remove(name);
  }
}

void strip_credentials(Headers& headers) {
  for (const char* name :
       {"authorization", "cookie", "cookie2", "proxy-authorization", "www-authenticate", "host"}) {
    headers.remove(name);
  }
}

// Returns "GET http://a/ -> http://b/ -> ...", for error messages.
std::string history_text(const std::vector<std::string>& history) {
  std::string text;
  for (const std::string& hop : history) {
    if (!text.empty()) text += " -> ";
    text += hop;
  }
  return text;
}

Result<Url> target_of(const Url& from, const std::string& location, bool allow_downgrade) {
  Result<Url> to = from.resolve(location);
  if (!to) {
    std::string message = "redirect from " + from.without_credentials() + ": " + to.error().message();
    return Error(Errc::bad_message, std::move(message));
  }
  if (from.scheme() == "https" && to->scheme() == "http" && !allow_downgrade) {
    return Error(Errc::bad_message, "redirect from https to http refused: " + to->without_credentials());
  }
  return to->without_userinfo();
}

}  // namespace

Task<Response> Redirect::operator()(Request request, const Service& next) const {
  std::vector<std::string> history;
  for (;;) {
    history.push_back(std::string(request.method.text()) + ' ' + request.url.without_credentials());
    const bool replayable = request.body.replayable();
    Request following = request.copy_without_body();
    if (replayable) following.body = request.body.copy();

    Response response = co_await next(std::move(request));
    const std::string* location = response.headers.get("location");
    if (!is_followed(response.status) || location == nullptr || location->empty())
      co_return std::move(response);
    const bool to_get = becomes_get(response.status, following.method);
    if (!to_get && !replayable) co_return std::move(response);
    if (static_cast<int>(history.size()) > hops_max) {
      co_return Error(Errc::limit_exceeded,
                      "more than " + std::to_string(hops_max) + " redirects: " + history_text(history));
    }

    Url target = co_await target_of(following.url, *location, allow_https_to_http);
    if (to_get) drop_body(following);
    if (target.origin() != following.url.origin()) strip_credentials(following.headers);
    following.url = std::move(target);
    request = std::move(following);
  }
}

}  // namespace escapement::http
