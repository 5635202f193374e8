// Deduplicate: equal requests that run beside each other share one call.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <escapement/core/bytes.h>
#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// The settings of a Deduplicate.
class DeduplicateOptions {
 public:
  // Says which requests are equal. Empty: those of one method, URL, Host, Authorization, Cookie, Accept,
  // Accept-Encoding and Accept-Language.
  std::function<std::string(const Request&)> key = {};
  // A longer body is not shared: the requests that waited make calls of their own.
  std::size_t bytes_max = 1 * MiB;
  // A call that takes longer, up to the end of its body, counts as given up: another request makes one, too.
  Duration call_max = 60s;
};

// Makes one call for equal GET and HEAD requests without a body that run at the same time, and gives each its
// own copy of the response, whose body is read up to `bytes_max` for it. A failure is shared too. If the
// request that makes the call is given up, another one makes it. Nothing is kept: a request that comes after
// the end is a call of its own (a cache would keep it). Requests that carry Range, or a condition such as
// If-None-Match, pass.
//
// A limit around the layer counts for each request alone; one inside counts for the call. Copies share the
// calls. It is a SingleFlight (timers/single_flight.h), so the requests of a Worker's isolate may share it.
class Deduplicate {
 public:
  static constexpr LayerRole role = LayerRole::deduplicate;  // layer_order.h

  // Makes a layer whose copies share the calls.
  explicit Deduplicate(DeduplicateOptions options = DeduplicateOptions());

  Task<Response> operator()(Request request, const Service& next) const;

  // Returns the number of calls that are under way for requests that may share them.
  std::size_t running() const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::http
