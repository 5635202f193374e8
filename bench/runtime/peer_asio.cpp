// The tasks of runtime comparisons, on asio's coroutines, one thread.
#define ASIO_NO_DEPRECATED
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/channel.hpp>

#include <array>

#include "run.h"

namespace {

using asio::awaitable;
using asio::use_awaitable;
using Channel = asio::experimental::channel<void(asio::error_code, long)>;

awaitable<void> count_one(long& counted) {
  co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
  ++counted;
}

long spawn_and_join(long count) {
  asio::io_context context(1);
  long counted = 0;
  for (long i = 0; i < count; ++i) asio::co_spawn(context, count_one(counted), asio::detached);
  context.run();
  return counted;
}

awaitable<long> skynet_node(long first, long size) {
  using namespace asio::experimental::awaitable_operators;
  if (size == 1) co_return first;
  const auto child = [&](long i) { return skynet_node(first + i * size / 10, size / 10); };
  const auto sums = co_await (child(0) && child(1) && child(2) && child(3) && child(4) && child(5) &&
                              child(6) && child(7) && child(8) && child(9));
  co_return std::apply([](auto... part) { return (part + ...); }, sums);
}

template <class F>
long run(F start) {
  asio::io_context context(1);
  long result = -1;
  asio::co_spawn(context, start(context), [&](std::exception_ptr, long value) {
    result = value;
    context.stop();
  });
  context.run();
  return result;
}

long skynet(long count) {
  return run([count](asio::io_context&) { return skynet_node(0, count); });
}

awaitable<void> echo(Channel& to, Channel& back) {
  for (;;) {
    const long value = co_await to.async_receive(use_awaitable);
    co_await back.async_send(asio::error_code(), value + 1, use_awaitable);
  }
}

awaitable<long> ping_pong(asio::io_context& context, long count) {
  Channel to(context, 1);
  Channel back(context, 1);
  asio::co_spawn(context, echo(to, back), asio::detached);
  long value = 0;
  for (long i = 0; i < count; ++i) {
    co_await to.async_send(asio::error_code(), value, use_awaitable);
    value = co_await back.async_receive(use_awaitable);
  }
  co_return value;
}

long channel(long count) {
  return run([count](asio::io_context& context) { return ping_pong(context, count); });
}

using asio::ip::tcp;

awaitable<void> serve_one(tcp::acceptor& acceptor) {
  tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
  socket.set_option(tcp::no_delay(true));
  std::array<char, 64> room;
  for (;;) {
    const std::size_t count = co_await socket.async_read_some(asio::buffer(room), use_awaitable);
    co_await asio::async_write(socket, asio::buffer(room, count), use_awaitable);
  }
}

awaitable<long> tcp_ping_pong(asio::io_context& context, long count) {
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio::co_spawn(context, serve_one(acceptor), asio::detached);
  tcp::socket socket(context);
  co_await socket.async_connect(acceptor.local_endpoint(), use_awaitable);
  socket.set_option(tcp::no_delay(true));
  std::array<char, 64> message{};
  for (long i = 0; i < count; ++i) {
    co_await asio::async_write(socket, asio::buffer(message), use_awaitable);
    co_await asio::async_read(socket, asio::buffer(message), use_awaitable);
  }
  co_return count;
}

long tcp_run(long count) {
  return run([count](asio::io_context& context) { return tcp_ping_pong(context, count); });
}

constexpr bench::TaskEntry tasks[] = {{"spawn", spawn_and_join, bench::same},
                                      {"skynet", skynet, bench::sum_below},
                                      {"channel", channel, bench::same},
                                      {"tcp", tcp_run, bench::same}};

}  // namespace

int main(int count, char** arguments) { return bench::run_one(count, arguments, tasks, 4); }
