#include <escapement/middleware/presets/resilient.h>

#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/resume.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/body_idle.h>
#include <escapement/middleware/limits/timeout.h>

namespace escapement::http {

Service resilient(Service client, ResilientOptions options) {
  Retry retry;
  retry.attempts = options.attempts;
  retry.budget = options.budget;
  Resume resume;
  resume.budget = options.budget;
  return layered(resume, Timeout{options.overall}, Redirect{}, retry, BodyIdle{options.body_idle},
                 Timeout{options.attempt}, std::move(client));
}

}  // namespace escapement::http
