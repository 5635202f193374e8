// resilient: a client for services that fail now and then, in one line.

#pragma once

#include <functional>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry_budget.h>

namespace escapement::http {

// The numbers of `resilient`.
class ResilientOptions {
 public:
  Duration overall = 30s;    // from the call to the response head, with all attempts and waits; for each
                             // rest of a broken body again
  Duration attempt = 10s;    // each attempt, to the response head
  Duration body_idle = 30s;  // without a byte of the body
  int attempts = 3;          // of each hop, the first one included
  RetryBudget budget =
      RetryBudget();  // retries for a share of the calls; give one to all clients of a service
  // Keeps responses: cached(store) (presets/cached.h). Empty: nothing is kept.
  std::function<Service(Service)> cache = {};
};

// Returns `client` with what nearly every client wants around it. It is this stack, from the outside in:
//
//     Resume{}              a broken body of a GET goes on where it was, however late it breaks
//     Timeout{overall}      the caller waits no longer for the head, whatever happens; nor for that of a rest
//     Redirect{}            each hop has its attempts
//     cache                 if there is one; each hop is kept by itself, and a broken body is not kept
//     Retry{attempts}       backoff of 100 ms, doubled, full jitter; a server's wait of up to 60 s; `budget`
//     BodyIdle{body_idle}   a body that stalls breaks, and is resumed
//     Timeout{attempt}      an attempt that hangs makes room for another one
//
// The most that one call can send: `esc-stack resilient` enumerates it. To change a part, write the stack.
//
//     const Service api = http::resilient(http::Client(network));
Service resilient(Service client, ResilientOptions options = ResilientOptions());

}  // namespace escapement::http
