// An echo server as a user of the library writes one: a task for each connection, `read` and `write` awaited.

#include <cstdlib>
#include <vector>

#include <escapement/core/scope.h>

#include "stop.h"

using namespace escapement;

namespace {

// A read of up to 16 KiB, on its own buffer while it is in work.
Task<> echo(std::unique_ptr<Stream> stream) {
  std::vector<std::byte> room(16 * KiB);
  for (;;) {
    std::size_t count = co_await stream->read(room);
    if (count == 0) co_return;
    co_await stream->write(Bytes(room).first(count));
  }
}

Task<> serve(Network& network) {
  Reactor& reactor = co_await this_reactor;
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  std::printf("%u\n", listener->port());
  std::fflush(stdout);
  Scope connections(reactor, nullptr);
  for (;;) {
    std::unique_ptr<Stream> stream = co_await listener->accept();
    connections.spawn(echo(std::move(stream)));
  }
}

}  // namespace

int main() {
  Loop loop;
  return bench::run_until_sigterm(loop, serve(loop.network()));
}
