// A stack with a tracer, if ESC_TEST_TRACED says so.

#include <cstdio>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/no_tracer.h>
#include <escapement/middleware/observe/span_printer.h>
#include <escapement/middleware/observe/tracer.h>

using namespace escapement;

static Task<http::Response> respond(http::Request) { co_return http::Response(200); }

int main() {
  const auto tracer = http::tracer_if<ESC_TEST_TRACED>([] {
    return http::Tracer(std::make_shared<http::SpanTree>(
        [](std::string_view line) { std::printf("%.*s\n", static_cast<int>(line.size()), line.data()); }));
  });
  const http::Service api = http::layered(tracer, http::Retry{}, http::Timeout{1s}, tracer, respond);
  Sim sim;
  std::printf("%d\n", sim.run(api(http::get("http://h/")))->status);
}
