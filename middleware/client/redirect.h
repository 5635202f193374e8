// Redirect: follows 301, 302, 303, 307 and 308.

#pragma once

#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// Follows redirects until a response is not one.
//
//     status     method                           body
//     301, 302   POST becomes GET, others stay    dropped when the method changed
//     303        HEAD stays, others become GET    dropped
//     307, 308   stays                            sent again; one that cannot be: the 3xx is returned
//
// A 3xx without Location or with an empty one, and every other 3xx, is returned. Location is relative to the
// URL that responded and read as browsers do (Url::resolve); userinfo in it is dropped. A hop to another
// origin (scheme, host or port) strips Authorization, Cookie, Cookie2, Proxy-Authorization, WWW-Authenticate
// and Host, and they stay stripped on a later hop back (the lesson of CVE-2024-45336). A hop from https to
// http is refused unless allowed. The same URL may come again: a cookie, or time, may change its response.
// Retry-After is not waited for, as in browsers.
//
// Errors: limit_exceeded after `hops_max` hops, naming the URLs on the way; bad_message for a Location that
// is not an http URL, or for a refused downgrade.
//
// Sources: RFC 9110 section 15.4; Fetch "HTTP-redirect fetch"; the behaviour of Go and tower-http where those
// differ.
struct Redirect {
  static constexpr LayerRole role = LayerRole::redirect;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  int hops_max = 10;                 // more redirects fail with limit_exceeded
  bool allow_https_to_http = false;  // whether a redirect may leave https

  Task<Response> operator()(Request request, const Service& next) const;
};

// A redirect that was followed.
class RedirectHop {
 public:
  RedirectHop(Method m, Url u, int s) : method(std::move(m)), url(std::move(u)), status(s) {}
  Method method;  // that the URL was asked with
  Url url;        // that responded with a redirect
  int status;     // 301, 302, 303, 307 or 308
};

// A response, and how it was reached.
class RedirectedResponse {
 public:
  RedirectedResponse(Response r, Url u, std::vector<RedirectHop> h)
      : response(std::move(r)), url(std::move(u)), history(std::move(h)) {}
  Response response;                 // the last one
  Url url;                           // that responded with it
  std::vector<RedirectHop> history;  // the redirects on the way, in order; empty if there was none
};

// Sends `request` to `next` and follows redirects as `settings` say, for callers that want to know the way.
// Fails as Redirect does. Cancelling it cancels the hop that is under way.
//
//     http::RedirectedResponse got = co_await http::follow(Redirect{}, client, http::get("http://a.test/"));
//     if (!got.history.empty()) log("moved to " + got.url.without_credentials());
Task<RedirectedResponse> follow(Redirect settings, Service next, Request request);

}  // namespace escapement::http
