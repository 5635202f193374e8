// The common part of both libuv peers: listen, and run the default loop until SIGTERM.

#pragma once

#include <uv.h>

#include "../sockets.h"
#include "end.h"

namespace bench {

inline int serve_by_libuv(uv_connection_cb accepted) {
  end_on_sigterm();
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener;
  uv_tcp_init(loop, &listener);
  uv_tcp_open(&listener, listen_and_say());
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, accepted) != 0) fail("uv_listen");
  return uv_run(loop, UV_RUN_DEFAULT);
}

}  // namespace bench
