// An echo server as a user of the library writes one: a task for each connection, `read` and `write` awaited.
// All read into the same memory, so that a quiet connection has none.

#include <cstdlib>
#include <vector>

#include <escapement/core/scope.h>

#include "stop.h"

using namespace escapement;

namespace {

Task<> echo(std::unique_ptr<Stream> stream, MutableBytes room) {
  for (;;) {
    const std::size_t count = co_await stream->read(room);
    if (count == 0) co_return;
    const std::size_t sent = stream->write_now(room.first(count));
    if (sent == count) continue;
    const std::vector<std::byte> rest(room.begin() + sent, room.begin() + count);
    co_await stream->write(rest);
  }
}

Task<> serve(Network& network) {
  Reactor& reactor = co_await this_reactor;
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  std::printf("%u\n", listener->port());
  std::fflush(stdout);
  std::vector<std::byte> room(64 * KiB);
  Scope connections(reactor, nullptr);
  for (;;) {
    std::unique_ptr<Stream> stream = co_await listener->accept();
    connections.spawn(echo(std::move(stream), room));
  }
}

}  // namespace

int main() {
  Loop loop;
  return bench::run_until_sigterm(loop, serve(loop.network()));
}
