// libmicrohttpd with epoll, driven by this thread. It writes Date itself, and answers one request at a time.

#include <microhttpd.h>

#include "../answer.h"
#include "../sockets.h"
#include "end.h"

namespace {

MHD_Response* response = nullptr;

// Called when the head is there, and once more when the body, of which there is none, has ended.
MHD_Result answer(void*, MHD_Connection* connection, const char*, const char*, const char*, const char*,
                  std::size_t* body, void** seen) {
  if (*seen == nullptr) {
    *seen = response;
    return MHD_YES;
  }
  *body = 0;
  return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

}  // namespace

int main() {
  bench::end_on_sigterm();
  response = MHD_create_response_from_buffer(
      bench::answer_body.size(), const_cast<char*>(bench::answer_body.data()), MHD_RESPMEM_PERSISTENT);
  MHD_add_response_header(response, "Content-Type", bench::answer_type.data());
  MHD_Daemon* daemon = MHD_start_daemon(
      MHD_USE_EPOLL, 0, nullptr, nullptr, answer, nullptr, MHD_OPTION_LISTEN_SOCKET, bench::listen_and_say(),
      MHD_OPTION_CONNECTION_LIMIT, 16'000u, MHD_OPTION_CONNECTION_TIMEOUT, 75u, MHD_OPTION_END);
  if (daemon == nullptr) bench::fail("MHD_start_daemon");
  while (MHD_run_wait(daemon, -1) == MHD_YES) {
  }
}
