// The tasks of runtime comparisons, on escapement.
#include <memory>
#include <vector>

#include <escapement/core/channel.h>
#include <escapement/core/combine.h>
#include <escapement/core/join_set.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>

#include "run.h"

using namespace escapement;

namespace {

Task<> count_one(long& counted) {
  co_await yield();
  ++counted;
}

Task<long> spawn_and_join(long count) {
  long counted = 0;
  Scope scope(co_await this_reactor);
  for (long i = 0; i < count; ++i) scope.spawn(count_one(counted));
  co_await scope.join();
  co_return counted;
}

Task<long> skynet_node(long first, long size) {
  if (size == 1) co_return first;
  std::vector<Task<long>> children;
  children.reserve(10);
  for (long i = 0; i < 10; ++i) children.push_back(skynet_node(first + i * size / 10, size / 10));
  std::vector<long> sums = co_await all(std::move(children));
  long sum = 0;
  for (const long part : sums) sum += part;
  co_return sum;
}

Task<> echo(Channel<long>& to, Channel<long>& back) {
  while (std::optional<long> value = co_await to.receive()) co_await back.send(*value + 1);
}

Task<long> channel_ping_pong(long count) {
  Channel<long> to(1);
  Channel<long> back(1);
  Scope scope(co_await this_reactor);
  scope.spawn(echo(to, back));
  long value = 0;
  for (long i = 0; i < count; ++i) {
    co_await to.send(value);
    std::optional<long> answer = co_await back.receive();
    value = *answer;
  }
  co_return value;
}

Task<> echo_stream(std::unique_ptr<Stream> stream) {
  std::byte room[64];
  for (;;) {
    const std::size_t count = co_await stream->read(MutableBytes(room));
    if (count == 0) co_return;
    co_await stream->write(Bytes(room, count));
  }
}

Task<> serve_one(Listener& listener) {
  std::unique_ptr<Stream> stream = co_await listener.accept();
  co_await echo_stream(std::move(stream));
}

Task<long> tcp_ping_pong(Network& network, long count) {
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  Scope scope(co_await this_reactor);
  scope.spawn(serve_one(*listener));
  std::unique_ptr<Stream> stream = co_await network.connect("127.0.0.1", listener->port());
  std::byte message[64] = {};
  for (long i = 0; i < count; ++i) {
    co_await stream->write(Bytes(message));
    std::size_t got = 0;
    while (got < sizeof message) {
      const std::size_t more = co_await stream->read(MutableBytes(message).subspan(got));
      got += more;
    }
  }
  co_return count;
}

template <Task<long> (*Function)(long)>
long run(long count) {
  Loop loop;
  return *loop.run(Function(count));
}
long run_skynet(long count) {
  Loop loop;
  return *loop.run(skynet_node(0, count));
}
long run_tcp(long count) {
  Loop loop;
  return *loop.run(tcp_ping_pong(loop.network(), count));
}

constexpr bench::TaskEntry tasks[] = {{"spawn", run<spawn_and_join>, bench::same},
                                      {"skynet", run_skynet, bench::sum_below},
                                      {"channel", run<channel_ping_pong>, bench::same},
                                      {"tcp", run_tcp, bench::same}};

}  // namespace

int main(int count, char** arguments) { return bench::run_one(count, arguments, tasks, 4); }
