// The request of esc-fetch: its method, header fields and body, from the command line.

#pragma once

#include <memory>
#include <string>

#include <escapement/core/error.h>
#include <escapement/core/random.h>
#include <escapement/io/http/message.h>
#include <escapement/middleware/client/multipart.h>

#include "tools/fetch/options.h"

namespace escapement {

// The parts of a request that are the same for every URL.
class RequestParts {
 public:
  // Checks the command line. Errc::invalid_argument: the options contradict each other, or one is malformed;
  // permission_denied: a file cannot be read.
  static Result<RequestParts> make(const FetchOptions& options);

  // Returns the request for the URL of this number, which is as on the command line. Errors as make.
  Result<http::Request> request(std::size_t number, http::Url url, Random& random);
  // Returns whether a second request for that URL would find standard input read.
  bool sends_standard_input(std::size_t number) const;

 private:
  explicit RequestParts(const FetchOptions& options) : options_(&options) {}
  Result<> read_data();
  Result<> read_headers();
  Result<http::Body> body(std::size_t number, Random& random, http::Headers& headers);

  const FetchOptions* options_;
  http::Headers headers_;
  std::vector<std::string> left_out_;
  std::string data_;
  std::string query_;                      // of -G and --url-query
  std::unique_ptr<http::Multipart> form_;  // for the first request: standard input can be read once
  bool has_data_ = false;
  bool has_form_ = false;
  bool is_json_ = false;
};

// Returns the URL of the command line: without a scheme it is http's, and spaces and other characters are
// percent-encoded as an address bar does. Errc::invalid_argument.
Result<http::Url> url_of(std::string text);

}  // namespace escapement
