#include <escapement/middleware/client/redirect.h>

#include <escapement/core/detail/in_digits.h>
#include <escapement/middleware/client/detail/drain.h>

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

// Changes `request` into the one that follows a redirect to `target`.
void turn_to(Request& request, Url target, bool to_get) {
  if (to_get) drop_body(request);
  if (target.origin() != request.url.origin()) strip_credentials(request.headers);
  if (request.url.scheme() == "https" && target.scheme() == "http") request.headers.remove("referer");
  request.url = std::move(target);
}

// Hooks that do nothing. `hop` hears of each redirect, `ends` of the URL that responded with something else.
class NoHooks {
 public:
  void hop(const Request&, int) {}
  void ends(Url&) {}
};

// Hooks that remember.
class Remember {
 public:
  Remember(std::vector<RedirectHop>& history, Url& last) : history_(history), last_(last) {}
  void hop(const Request& request, int status) { history_.emplace_back(request.method, request.url, status); }
  void ends(Url& url) { last_ = std::move(url); }

 private:
  std::vector<RedirectHop>& history_;
  Url& last_;
};

template <class Hooks>
Task<Response> run(Redirect settings, Request request, const Service& next, Hooks hooks) {
  std::string history;  // "GET http://a/ -> GET http://b/", for an error
  for (int hops = 1;; ++hops) {
    const bool replayable = request.body.replayable();
    Request following = request.copy_without_body();
    if (replayable) following.body = request.body.copy();

    Response response = co_await next(std::move(request));
    const std::string* location = nullptr;
    if (is_followed(response.status)) location = response.headers.get("location");
    const bool followed = location != nullptr && !location->empty();
    const bool to_get = followed && becomes_get(response.status, following.method);
    if (!followed || (!to_get && !replayable)) {
      hooks.ends(following.url);
      co_return std::move(response);
    }
    hooks.hop(following, response.status);
    if (hops > 1) history += " -> ";
    history += std::string(following.method.text()) + ' ' + following.url.without_credentials();
    if (hops > settings.hops_max) {
      co_return Error(Errc::limit_exceeded,
                      "more than " + in_digits(settings.hops_max) + " redirects: " + history);
    }
    Url target = co_await target_of(following.url, *location, settings.allow_https_to_http);
    turn_to(following, std::move(target), to_get);
    if (detail::worth_draining(response.body)) co_await detail::drain(std::move(response.body));
    request = std::move(following);
  }
}

}  // namespace

Task<Response> Redirect::operator()(Request request, const Service& next) const {
  return run(*this, std::move(request), next, NoHooks());
}

Task<RedirectedResponse> follow(Redirect settings, Service next, Request request) {
  std::vector<RedirectHop> history;
  Url last = request.url;
  Response response = co_await run(settings, std::move(request), next, Remember(history, last));
  co_return RedirectedResponse(std::move(response), std::move(last), std::move(history));
}

}  // namespace escapement::http
