// BaseUrl: requests name a path, and the layer says where that is.

#pragma once

#include <string_view>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// Returns the URL of `path` below a base that a BaseUrl layer fills in: "/repos/o/r?page=2", with or without
// the first slash. Until then its host is "base.invalid", a name that never exists (RFC 6761), so a request
// that meets no BaseUrl fails with not_found and reaches nobody. Errors as Url::parse; invalid_argument
// for text that names a host.
Result<Url> relative(std::string_view path);

// Sends requests for `relative` URLs to `base`: the path of one is appended to the path of the other, with
// one slash between them, and the query stays. So "/repos" below "https://ghe.test/api/v3" is
// "https://ghe.test/api/v3/repos". No path leads above the base: "/../x" is "/x". A request for any other URL
// goes where it says, such as the next page that a Link header names.
//
//     const Service api = layered(BaseUrl{base}, Redirect{}, client);
//     http::Url url = co_await http::relative("/repos/o/r/issues?state=open");
//     http::Response response = co_await api(http::Request("GET", std::move(url)));
//
// Put it outside of layers that decide by origin (layer_order.h). A query of the base is left out.
// Fails with invalid_argument if the whole URL gets too long (Url::length_max).
// Source: RFC 3986 section 5, but for the base's last segment, which stays: it is a prefix here.
struct BaseUrl {
  static constexpr LayerRole role = LayerRole::base_url;  // layer_order.h

  Url base;  // the origin and the beginning of the path

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
