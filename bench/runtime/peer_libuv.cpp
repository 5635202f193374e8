// TCP ping-pong on libuv, by callbacks: it has no tasks and no channels.
#include <uv.h>

#include "run.h"

namespace {

struct End {
  uv_tcp_t socket;
  uv_write_t write;
  char room[64];
  std::size_t got = 0;
  long left = 0;  // rounds; of the client
  bool client = false;
};

struct World {
  uv_loop_t loop;
  uv_tcp_t listener;
  End server;
  End client;
};
World* world;

void on_room(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  End& end = *static_cast<End*>(handle->data);
  *buffer = uv_buf_init(end.room + end.got, static_cast<unsigned>(sizeof end.room - end.got));
}

void send(End& end) {
  uv_buf_t buffer = uv_buf_init(end.room, sizeof end.room);
  uv_write(&end.write, reinterpret_cast<uv_stream_t*>(&end.socket), &buffer, 1, nullptr);
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
  End& end = *static_cast<End*>(stream->data);
  if (count <= 0) return;
  end.got += static_cast<std::size_t>(count);
  if (end.got < sizeof end.room) return;
  end.got = 0;
  if (end.client && --end.left == 0) return uv_stop(&world->loop);
  send(end);
}

void begin(End& end) {
  uv_tcp_nodelay(&end.socket, 1);
  uv_read_start(reinterpret_cast<uv_stream_t*>(&end.socket), on_room, on_read);
}

void on_connection(uv_stream_t* listener, int) {
  uv_accept(listener, reinterpret_cast<uv_stream_t*>(&world->server.socket));
  begin(world->server);
}

long tcp(long count) {
  World here;
  world = &here;
  uv_loop_init(&here.loop);
  uv_tcp_init(&here.loop, &here.listener);
  for (End* end : {&here.server, &here.client}) {
    uv_tcp_init(&here.loop, &end->socket);
    end->socket.data = end;
  }
  here.client.client = true;
  here.client.left = count;
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&here.listener, reinterpret_cast<sockaddr*>(&address), 0);
  uv_listen(reinterpret_cast<uv_stream_t*>(&here.listener), 16, on_connection);
  int size = sizeof address;
  uv_tcp_getsockname(&here.listener, reinterpret_cast<sockaddr*>(&address), &size);
  uv_connect_t connect;
  uv_tcp_connect(&connect, &here.client.socket, reinterpret_cast<sockaddr*>(&address),
                 [](uv_connect_t*, int) {
                   begin(world->client);
                   send(world->client);
                 });
  uv_run(&here.loop, UV_RUN_DEFAULT);
  return here.client.left == 0 ? count : -1;
}

constexpr bench::TaskEntry tasks[] = {{"tcp", tcp, bench::same}};

}  // namespace

int main(int count, char** arguments) { return bench::run_one(count, arguments, tasks, 1); }
