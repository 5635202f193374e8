// Cors: lets pages of other origins call a service from a browser.

#pragma once

#include <string>
#include <vector>

#include <escapement/io/http/service.h>

namespace escapement::http {

// The rules of a Cors layer.
class CorsOptions {
 public:
  // Origins whose pages may call, as browsers send them: "https://app.example", compared as a whole. "*"
  // alone: every page, then without credentials (checked).
  std::vector<std::string> origins;
  std::vector<std::string> methods = {"GET", "HEAD", "POST"};  // that a preflight allows; case counts
  std::vector<std::string> request_fields;                     // that pages may send beyond the simple ones
  std::vector<std::string> response_fields;                    // that pages may read beyond the simple ones
  bool credentials = false;                                    // whether cookies and TLS certificates count
  Duration max_age = 10min;  // browsers keep a preflight's answer for so long; whole seconds, rounded down
};

// Answers preflight requests (OPTIONS with Origin and Access-Control-Request-Method) by itself with 204, and
// adds the fields to the responses of requests that carry an Origin. A request from an origin that is not
// allowed gets none of them, and its preflight 403; the request itself is answered as ever, for the browser
// withholds the response. Adds "Vary: Origin" where the answer depends on it. This protects no server:
// requests that need no preflight arrive (Csrf).
//
//     CorsOptions options;
//     options.origins = {"https://app.example"};
//     const Service service = layered(Cors(options), router);
//
// Source: Fetch, section 3.3 "CORS protocol".
class Cors {
 public:
  explicit Cors(CorsOptions options);

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  bool allows(std::string_view origin) const;
  Response preflight(const Request& request, std::string_view origin) const;
  void add_origin(Headers& headers, std::string_view origin) const;

  CorsOptions options_;
  bool any_origin_;
};

}  // namespace escapement::http
