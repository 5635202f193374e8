// EtagCache: asks GitHub whether what it has sent before is still so. A 304 costs no quota.

#pragma once

#include <cstddef>
#include <memory>

#include <escapement/core/bytes.h>
#include <escapement/io/http/service.h>

namespace escapement::github {

// Keeps the bodies of responses of 200 to GETs that had an ETag, and sends If-None-Match with the next
// request for the same URL, with the same Accept and the same credentials. A 304 becomes the response that
// was kept, with the header fields of the 304 in place of its own. (http::Cache, in contrast, does not ask at
// all for the minute that GitHub allows it.)
//
// Put it inside of the layer that sets Authorization, and of Retry: it reads a body that it keeps to its end
// before the response goes on, so one that breaks off is a failed attempt, and nothing of it is kept. A body
// of more than `entry_bytes_max` is passed on as it comes. The least recently used go when there are more
// than `bytes_max`. Copies share what is kept, which is plain data: in a Worker it may outlive a request.
class EtagCache {
 public:
  explicit EtagCache(std::size_t bytes_max = 16 * MiB, std::size_t entry_bytes_max = 1 * MiB);

  Task<http::Response> operator()(http::Request request, const http::Service& next) const;

  // Returns the number of responses that were served after a 304.
  std::size_t served() const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::github
