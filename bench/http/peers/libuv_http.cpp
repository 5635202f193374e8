// libuv with llhttp, the least that a program of one's own on the two can be: one buffer for all reads, no
// headers kept, the answers to all requests of a read in one uv_try_write. No timer, no limit.

#include <llhttp.h>
#include <uv.h>

#include <cstdlib>
#include <string>

#include "../answer.h"
#include "libuv_serve.h"

namespace {

char room[64 * 1024];
std::string answers;  // to the requests of the read that is being parsed

struct Connection {
  uv_tcp_t tcp;
  llhttp_t parser;
  bool keep_alive = true;
};

struct Rest {
  uv_write_t request;
  std::string bytes;
};

uv_stream_t* stream_of(Connection& connection) { return reinterpret_cast<uv_stream_t*>(&connection.tcp); }

void close(Connection& connection) {
  uv_close(reinterpret_cast<uv_handle_t*>(&connection.tcp),
           [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); });
}

int request_complete(llhttp_t* parser) {
  auto& connection = *static_cast<Connection*>(parser->data);
  answers += bench::answer;
  connection.keep_alive = llhttp_should_keep_alive(parser) != 0;
  return 0;
}

const llhttp_settings_t& settings() {
  static const llhttp_settings_t made = [] {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_message_complete = request_complete;
    return settings;
  }();
  return made;
}

void give_room(uv_handle_t*, std::size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(room, sizeof room); }

void send_answers(Connection& connection) {
  uv_buf_t buffer = uv_buf_init(answers.data(), static_cast<unsigned>(answers.size()));
  const int sent = uv_try_write(stream_of(connection), &buffer, 1);
  const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (done == answers.size()) return;
  auto* rest = new Rest{{}, answers.substr(done)};
  rest->request.data = rest;
  buffer = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
  uv_write(&rest->request, stream_of(connection), &buffer, 1,
           [](uv_write_t* request, int) { delete static_cast<Rest*>(request->data); });
}

void received(uv_stream_t* stream, ssize_t count, const uv_buf_t* from) {
  auto& connection = *static_cast<Connection*>(stream->data);
  if (count == 0) return;
  if (count < 0) return close(connection);
  answers.clear();
  const llhttp_errno_t outcome =
      llhttp_execute(&connection.parser, from->base, static_cast<std::size_t>(count));
  if (!answers.empty()) send_answers(connection);
  if (outcome != HPE_OK || !connection.keep_alive) close(connection);
}

void accepted(uv_stream_t* listener, int) {
  auto* connection = new Connection;
  uv_tcp_init(listener->loop, &connection->tcp);
  connection->tcp.data = connection;
  if (uv_accept(listener, stream_of(*connection)) != 0) return close(*connection);
  llhttp_init(&connection->parser, HTTP_REQUEST, &settings());
  connection->parser.data = connection;
  uv_read_start(stream_of(*connection), give_room, received);
}

}  // namespace

int main() { return bench::serve_by_libuv(accepted); }
