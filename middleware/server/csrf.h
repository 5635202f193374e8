// Csrf: refuses requests by which a page of another origin would change something in a user's name.

#pragma once

#include <string>
#include <vector>

#include <escapement/io/http/service.h>

namespace escapement::http {

// The exceptions of a Csrf layer.
class CsrfOptions {
 public:
  std::vector<std::string> trusted_origins;  // pages that may, as browsers send them: "https://app.example"
};

// Refuses with 403 a request that a browser says another origin's page has caused. GET, HEAD and OPTIONS
// pass, so handlers must change nothing for those. Needs no token and no cookie: browsers tell it in
// Sec-Fetch-Site, older ones in Origin, whose host must then be that of Host. A request with neither field
// comes from no browser, and passes.
//
// Source: F. Valsorda, "Cross-Site Request Forgery", 2025, as Go's net/http.CrossOriginProtection.
class Csrf {
 public:
  explicit Csrf(CsrfOptions options = CsrfOptions()) : options_(std::move(options)) {}

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  bool passes(const Request& request) const;

  CsrfOptions options_;
};

}  // namespace escapement::http
