// The same stack, whose source has no tracer.

#include <cstdio>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement;

static Task<http::Response> respond(http::Request) { co_return http::Response(200); }

int main() {
  const http::Service api = http::layered(http::Retry{}, http::Timeout{1s}, respond);
  Sim sim;
  std::printf("%d\n", sim.run(api(http::get("http://h/")))->status);
}
