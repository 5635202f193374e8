// GitHubQueue: keeps the requests of a client below GitHub's secondary limits, before GitHub has to.

#pragma once

#include <cstddef>
#include <memory>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// The limits, by default those that GitHub publishes.
class GitHubQueueOptions {
 public:
  std::size_t running_max = 100;      // requests at once, each up to the end of its response's body
  std::size_t points_a_minute = 900;  // GET, HEAD and OPTIONS cost 1 point, all others 5
  std::size_t writes_a_minute = 80;   // requests that may create content: all but GET, HEAD and OPTIONS
  std::size_t writes_an_hour = 500;   // the same
  Duration between_writes = 1s;       // from the start of one to the start of the next
  std::size_t waiting_max = 1000;     // requests that wait; more get 503
};

// Lets requests through first come, first served, as the limits allow; writes wait apart, so that they hold
// up no reads. A request whose turn would come only after its deadline (Request::deadline) gets 503 at once.
//
// A response of 403 or 429 with X-RateLimit-Remaining 0 says that a primary limit is used up. Until its
// X-RateLimit-Reset no request that counts for it is sent: each one gets a 429 of this layer, with
// Retry-After, so that a Retry outside waits or gives up as its settings say. (Going on may get an
// integration banned.) GitHub counts searches, searches of code, GraphQL and all the rest ("core") apart.
// What a request counts for is told by its path: .../search/..., .../search/code, .../graphql. A response
// closes the limit that its X-RateLimit-Resource names, if that is one of the four, else its request's.
//
// Put it inside of Retry, Hedge and Redirect, so that it counts what they send (layer_order.h). Copies share
// the counts; it belongs to one reactor's thread. POSTs to .../graphql count as writes, which is more than
// GitHub counts for queries.
//
// Source: GitHub's "Rate limits for the REST API" and "Best practices for using the REST API".
class GitHubQueue {
 public:
  static constexpr LayerRole role = LayerRole::quota;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  // Makes a layer whose copies share the counts. Every limit must be at least 1 (checked).
  explicit GitHubQueue(GitHubQueueOptions options = GitHubQueueOptions());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the number of requests that wait for their turn.
  std::size_t waiting() const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
