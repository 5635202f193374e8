// EtagCache: asks GitHub whether what it has sent before is still so. A 304 costs no quota.

#pragma once

#include <cstddef>
#include <memory>

#include <escapement/core/bytes.h>
#include <escapement/io/http/service.h>

namespace escapement::github {

// Keeps the bodies of responses of 200 to GETs that had an ETag, and sends If-None-Match with the next
// request for the same URL, with the same Accept and the same credentials. A 304 becomes the response that
// was kept, with the header fields of the 304 in place of its own. Put it inside of the layer that sets
// Authorization. The least recently used go when there are too many. Copies share what is kept.
class EtagCache {
 public:
  explicit EtagCache(std::size_t bytes_max = 16 * MiB);

  Task<http::Response> operator()(http::Request request, const http::Service& next) const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::github
