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
  Service inner = layered(retry, BodyIdle{options.body_idle}, Timeout{options.attempt}, std::move(client));
  if (options.cache) inner = options.cache(std::move(inner));
  return layered(resume, Timeout{options.overall}, Redirect{}, std::move(inner));
}

}  // namespace escapement::http
