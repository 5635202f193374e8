// libuv, as fast as it can echo: one buffer for all reads, uv_try_write, and uv_write for what a full socket
// leaves (with the buffer of each read allocated and uv_write for all, as in its guide, it takes twice as
// long).

#include <uv.h>

#include <cstdlib>
#include <string>

#include "libuv_serve.h"

namespace {

char room[64 * 1024];

struct Rest {
  uv_write_t request;
  std::string bytes;
};

void closed(uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); }

void give_room(uv_handle_t*, std::size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(room, sizeof room); }

void send_rest(uv_stream_t* stream, std::string bytes) {
  auto* rest = new Rest{{}, std::move(bytes)};
  rest->request.data = rest;
  uv_buf_t buffer = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
  uv_write(&rest->request, stream, &buffer, 1,
           [](uv_write_t* request, int) { delete static_cast<Rest*>(request->data); });
}

void received(uv_stream_t* stream, ssize_t count, const uv_buf_t* from) {
  if (count == 0) return;
  if (count < 0) return uv_close(reinterpret_cast<uv_handle_t*>(stream), closed);
  uv_buf_t buffer = uv_buf_init(from->base, static_cast<unsigned>(count));
  const int sent = uv_try_write(stream, &buffer, 1);
  if (sent < count) {
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    send_rest(stream, std::string(from->base + done, static_cast<std::size_t>(count) - done));
  }
}

void accepted(uv_stream_t* listener, int) {
  auto* connection = new uv_tcp_t;
  uv_tcp_init(listener->loop, connection);
  auto* stream = reinterpret_cast<uv_stream_t*>(connection);
  if (uv_accept(listener, stream) != 0) return uv_close(reinterpret_cast<uv_handle_t*>(stream), closed);
  uv_read_start(stream, give_room, received);
}

}  // namespace

int main() { return bench::serve_by_libuv(accepted); }
