// RateLimit: limits the requests per second of each client.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/server/peer_address.h>

namespace escapement::http {

// The numbers of a RateLimit.
class RateLimits {
 public:
  double per_second = 10;         // greater than zero (checked)
  std::size_t burst = 20;         // requests allowed at once after a quiet time; at least 1
  std::size_t keys_max = 10'000;  // clients remembered; beyond that the least recently seen is forgotten
  // The client that a request counts for. Behind a proxy use the field that the proxy sets (Forwarded), and
  // only there.
  std::function<std::string(const Request&)> key = peer_network;
};

// A token bucket per key, refilled continuously. A request that finds it empty gets 429 with Retry-After and
// does not count. Each key costs some 150 bytes until its bucket is full again or another key needs the room.
//
// Needs no timer: a bucket is one instant, the time at which it will be full (GCRA), and full ones are
// forgotten as others come. Copies share the buckets, which belong to one reactor's thread.
class RateLimit {
 public:
  // Makes buckets that copies share.
  explicit RateLimit(RateLimits limits = RateLimits());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the number of clients remembered.
  std::size_t keys() const;

 private:
  class Buckets;

  std::shared_ptr<Buckets> buckets_;
};

}  // namespace escapement::http
