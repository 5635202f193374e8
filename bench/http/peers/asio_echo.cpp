// asio with coroutines, as one writes for it today; its lock is turned off, as one thread needs none.

#include <asio.hpp>

#include <array>

#include "../sockets.h"
#include "end.h"

namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
  std::array<char, 16 * 1024> room;
  asio::error_code failed;
  auto outcome = asio::redirect_error(asio::use_awaitable, failed);
  for (;;) {
    const std::size_t count = co_await socket.async_read_some(asio::buffer(room), outcome);
    if (failed) co_return;
    co_await asio::async_write(socket, asio::buffer(room, count), outcome);
    if (failed) co_return;
  }
}

asio::awaitable<void> serve(tcp::acceptor acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main() {
  bench::end_on_sigterm();
  asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
  asio::co_spawn(context, serve(tcp::acceptor(context, tcp::v4(), bench::listen_and_say())), asio::detached);
  context.run();
}
