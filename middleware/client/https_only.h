// HttpsOnly: refuses http URLs.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::http {

// Fails a request for an http URL with invalid_argument (Fault::https_only), before anything is looked up or
// sent, and passes on all others. On any host: natively ClientOptions::https_only does the same without a
// layer. Inside a Redirect it looks at each hop.
//
//     const Service api = layered(Redirect{}, HttpsOnly{}, HostFetch{});
struct HttpsOnly {
  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
