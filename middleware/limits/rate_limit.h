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
  Duration wait_max = {};         // the time for which a request may wait for its turn; zero: none waits
  std::size_t waiting_max = 256;  // requests that wait, of all clients; beyond that: 429 at once
  // The client that a request counts for. Behind a proxy use the field that the proxy sets (Forwarded), and
  // only there.
  std::function<std::string(const Request&)> key = peer_network;
};

// A token bucket per key, refilled continuously. A request that finds it empty waits for its turn, first
// come, first served, if that comes within `wait_max` and before Request::deadline; else it gets 429 at once,
// with Retry-After, and does not count. The turn of a request that gives up waiting is free again unless
// another one has been promised a later turn. Each key costs some 150 bytes until its bucket is full again or
// another key needs the room.
//
// Needs no timer but for what waits: a bucket is one instant, the time at which it will be full (GCRA), and
// full ones are forgotten as others come. Copies share the buckets, which belong to one reactor's thread.
class RateLimit {
 public:
  // Makes buckets that copies share.
  explicit RateLimit(RateLimits limits = RateLimits());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the number of clients remembered.
  std::size_t keys() const;
  // Returns the number of requests that wait.
  std::size_t waiting() const;

 private:
  class Buckets;
  class Waiting;

  std::shared_ptr<Buckets> buckets_;
};

}  // namespace escapement::http
