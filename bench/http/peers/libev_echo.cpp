// libev: a watcher for each connection, and recv and send as the bare program has them.

#include <ev.h>

#include <string>

#include "../sockets.h"
#include "end.h"

namespace {

char room[64 * 1024];

struct Connection {
  ev_io watcher;
  std::string unsent;
};

void close(struct ev_loop* loop, Connection* connection) {
  ev_io_stop(loop, &connection->watcher);
  ::close(connection->watcher.fd);
  delete connection;
}

void watch(struct ev_loop* loop, Connection* connection, int events) {
  ev_io_stop(loop, &connection->watcher);
  ev_io_set(&connection->watcher, connection->watcher.fd, events);
  ev_io_start(loop, &connection->watcher);
}

// Bytes that a full socket does not take wait, and nothing is read meanwhile.
void send(struct ev_loop* loop, Connection* connection, const char* bytes, std::size_t count) {
  const ssize_t sent = ::send(connection->watcher.fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return close(loop, connection);
  const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  const bool was_waiting = !connection->unsent.empty();
  if (done == count && !was_waiting) return;
  connection->unsent = std::string(bytes + done, count - done);
  if (connection->unsent.empty() == was_waiting) {
    watch(loop, connection, connection->unsent.empty() ? EV_READ : EV_WRITE);
  }
}

void ready(struct ev_loop* loop, ev_io* watcher, int events) {
  auto* connection = static_cast<Connection*>(watcher->data);
  if ((events & EV_WRITE) != 0) {
    const std::string bytes = connection->unsent;
    return send(loop, connection, bytes.data(), bytes.size());
  }
  const ssize_t count = ::recv(watcher->fd, room, sizeof room, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return close(loop, connection);
  send(loop, connection, room, static_cast<std::size_t>(count));
}

void accept_all(struct ev_loop* loop, ev_io* listener, int) {
  for (;;) {
    const int fd = ::accept4(listener->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto* connection = new Connection;
    ev_io_init(&connection->watcher, ready, fd, EV_READ);
    connection->watcher.data = connection;
    ev_io_start(loop, &connection->watcher);
  }
}

}  // namespace

int main() {
  bench::end_on_sigterm();
  struct ev_loop* loop = ev_default_loop(0);
  ev_io listener;
  ev_io_init(&listener, accept_all, bench::listen_and_say(), EV_READ);
  ev_io_start(loop, &listener);
  ev_run(loop, 0);
}
