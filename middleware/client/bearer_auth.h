// BearerAuth: adds an access token to the requests of one origin, and gets a new one when it is refused.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// The settings of a BearerAuth.
class BearerAuthOptions {
 public:
  // Gets a token: "ghp_...". Called when there is none yet, and after a 401. Its failure is the call's.
  std::function<Task<std::string>()> get_token;
  // The origin that the token is for, as Url::origin says it: "https://api.github.com". Requests to any
  // other, also to the same host by another scheme or port, go on without.
  std::string origin;
  std::string scheme = "Bearer";  // before the token; GitHub also takes "token"
};

// Sets Authorization on requests to one origin, in place of one that they have. A response of 401 drops the
// token: the request is sent once more with a new one, if its body can be sent again. Several calls that need
// a token wait for one `get_token`; if the call that gets it is given up, the next one gets it.
//
// Inside a Redirect it looks at each hop, so that the token goes to its origin and nowhere else. A token is
// kept as long as it is accepted. Copies share it; it belongs to one reactor's thread, and in a Worker to one
// request.
//
//     BearerAuthOptions options;
//     options.origin = "https://api.github.com";
//     options.get_token = [] -> Task<std::string> { co_return read_secret(); };
//     const Service api = layered(Retry{}, Redirect{}, BearerAuth(options), client);
//
// Sources: RFC 6750 section 2.1; RFC 9110 section 11.
class BearerAuth {
 public:
  static constexpr LayerRole role = LayerRole::credentials;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  // Makes a layer whose copies share the token. `get_token` and `origin` must be set (checked).
  explicit BearerAuth(BearerAuthOptions options);

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
