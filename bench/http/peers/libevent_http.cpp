// libevent's own HTTP server, evhttp. It writes Date itself, and answers one request at a time.

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "../answer.h"
#include "../sockets.h"
#include "end.h"

namespace {

void answer(evhttp_request* request, void*) {
  evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", bench::answer_type.data());
  evbuffer_add_reference(evhttp_request_get_output_buffer(request), bench::answer_body.data(),
                         bench::answer_body.size(), nullptr, nullptr);
  evhttp_send_reply(request, 200, "OK", nullptr);
}

}  // namespace

int main() {
  bench::end_on_sigterm();
  event_base* base = event_base_new();
  evhttp* http = evhttp_new(base);
  evhttp_set_timeout(http, 75);
  evhttp_set_gencb(http, answer, nullptr);
  if (evhttp_accept_socket(http, bench::listen_and_say()) != 0) bench::fail("evhttp_accept_socket");
  event_base_dispatch(base);
}
