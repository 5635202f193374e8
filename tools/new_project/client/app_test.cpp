// The client beside a server that fails twice, in a simulated network: the retries take no time.

#include "app.h"

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>

#include "expect.h"

using namespace escapement;

int main() {
  Sim sim;
  int calls = 0;
  http::Server server([&calls](http::Request) -> Task<http::Response> {
    ++calls;
    if (calls < 3) co_return http::Response(503, "not yet");
    co_return http::Response(200, "third time lucky");
  });
  sim.network().add_host("server");
  Scope scope(sim.reactor());
  scope.spawn(server.listen(sim.network(), "server:80"));
  sim.settle();  // it listens

  const Result<std::string> text = sim.run(fetch(sim.network(), "http://server/"));
  EXPECT(text && *text == "third time lucky");
  EXPECT(calls == 3);

  const Result<std::string> nobody = sim.run(fetch(sim.network(), "http://server:81/"));
  EXPECT(!nobody);
  return failures == 0 ? 0 : 1;
}
