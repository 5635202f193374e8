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
  // True if a layer asks for the rest of a body that breaks: then its breaking is an outcome too
  // (body_breaks in worst_case.h).
  bool resumes = false;
};

// Puts the layers that `text` names around `service`, the first one outermost. They stand between commas,
// each with its limits:
//
//     timeout 2s                  Timeout; times in ms, s, min or h
//     retry attempts=3 backoff=100ms backoff_max=20s jitter=none server_delay_max=60s any_method budget=0.2
//                                 Retry, with the defaults of retry.h for what is not said; `budget` is the
//                                 ratio of a RetryBudget, which allows `budget_min=0` retries a second always
//                                 `jitter` is full, none, or a rule of backoff.h: equal, decorrelated, tower,
//                                 grpc, got, octokit, polly or lognormal
//     redirect hops=10            Redirect
//     hedge delay=100ms attempts=2   Hedge
//     resume requests=10          Resume
//     body_idle 30s               BodyIdle
//     bearer origin=http://h token=t   BearerAuth, with a token that stays the same
//     base http://h/api           BaseUrl
//     github_limits, github_queue GitHubLimits, GitHubQueue
//     deduplicate                 Deduplicate
//     cache validate              Cache in memory; `validate`: validate_always
//     balance http://a http://b round_robin   Balance; without `round_robin` by load
//     call_budget budget=0.2      CallBudget
//     tiered_retry                TieredRetry with its defaults
//     deadline 5s                 Deadline
//     body_deadline 5s            BodyDeadline
//     send_deadline margin=20ms   SendDeadline
//     take_deadline               TakeDeadline
//     resilient, github           the presets; only as the last layer
//
// Fails with invalid_argument, and a sentence that names the layer, for a layer or a setting that does not
// exist, a value that is none, and an order that is never right (layer_order.h).
Result<StackText> stack_of(std::string_view text, Service service);

}  // namespace escapement::http
