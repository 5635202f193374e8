// stack_of: a stack of layers from text, for a configuration file, a tool or a table of tests.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <escapement/io/http/service.h>

namespace escapement::http {

// A stack that was written as text.
class StackText {
 public:
  StackText(Service s, std::uint64_t most) : service(std::move(s)), attempts_max(most) {}
  Service service;  // the whole stack
  // At most so many requests reach the innermost service for one call, by multiplying what each layer may
  // send. The largest number stands for more.
  std::uint64_t attempts_max;
};

// Puts the layers that `text` names around `service`, the first one outermost. They stand between commas,
// each with its limits:
//
//     timeout 2s                  Timeout; times in ms, s, min or h
//     retry attempts=3 backoff=100ms backoff_max=20s jitter=none server_delay_max=60s any_method budget=0.2
//                                 Retry, with the defaults of retry.h for what is not said; `budget` is the
//                                 ratio of a RetryBudget without a minimum
//     redirect hops=10            Redirect
//     hedge delay=100ms attempts=2   Hedge
//     resume requests=10          Resume
//     body_idle 30s               BodyIdle
//     bearer origin=http://h token=t   BearerAuth, with a token that stays the same
//     base http://h/api           BaseUrl
//     github_limits, github_queue GitHubLimits, GitHubQueue
//     deduplicate                 Deduplicate
//     resilient, github           the presets; only as the last layer
//
// Fails with invalid_argument, and a sentence that names the layer, for a layer or a setting that does not
// exist, a value that is none, and an order that is never right (layer_order.h).
Result<StackText> stack_of(std::string_view text, Service service);

}  // namespace escapement::http
