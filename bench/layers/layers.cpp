// Calls a stack of layers around a peer that responds at once, for callgrind: layers STACK CALLS. Without a
// stack it calls the peer alone.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/presets/stack_text.h>

using namespace escapement;

namespace {

Task<http::Response> respond(http::Request) { co_return http::Response(200); }

Task<> call(const http::Service& service, int calls) {
  const http::Request request(http::Method::post(), *http::Url::parse("http://a.test/path"));
  for (int i = 0; i < calls; ++i) {
    http::Response response = co_await service(request.copy_without_body());
    if (response.status != 200) co_await Error(Errc::internal, "a layer has acted");
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return std::fputs("layers STACK CALLS\n", stderr), 2;
  const Result<http::StackText> stack = http::stack_of(arguments[1], respond);
  if (!stack) return std::fprintf(stderr, "layers: %s\n", stack.error().message().c_str()), 2;
  Sim sim;
  const Result<> done = sim.run(call(stack->service, std::atoi(arguments[2])));
  return done ? 0 : 1;
}
