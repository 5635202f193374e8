// RateLimit: so many requests a second from each client.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/server/peer_address.h>

namespace escapement::http {

class RateLimits {
 public:
  double per_second = 10;  // greater than zero (checked)
  std::size_t burst = 20;  // how many may come at once after a quiet time; at least 1
  std::size_t keys_max =
      10'000;  // clients that are remembered; then the one not seen for longest is forgotten
  // Who a request counts for. Behind a proxy take its word for it instead (Forwarded), and only there.
  std::function<std::string(const Request&)> key = peer_network;
};

// A token bucket for each key, refilled all the time; a request that finds it empty gets 429 with Retry-After
// and does not count. Each key costs some 150 bytes until its bucket is full again or another needs the room.
//
// There is no timer in it: a bucket is one instant, the time at which it will be full (GCRA), and full ones
// are forgotten as others come. Copies share the buckets; they belong to one reactor's thread.
class RateLimit {
 public:
  explicit RateLimit(RateLimits limits = RateLimits());

  Task<Response> operator()(Request request, const Service& next) const;

  std::size_t keys() const;

 private:
  class Buckets;

  std::shared_ptr<Buckets> buckets_;
};

}  // namespace escapement::http
