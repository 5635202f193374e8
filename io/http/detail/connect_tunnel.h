// connect_tunnel: a tunnel through an HTTP proxy.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/http/proxy.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

// Makes the proxy at the other end of `stream` connect to `authority` ("a.test:443"), and yields the stream,
// which then leads there. `proxy` gives the credentials. Fails with nothing sent to the server:
//   permission_denied  Fault::proxy_auth_required (407), proxy_refused (another 4xx)
//   unavailable        Fault::proxy_failed (5xx), proxy_closed
//   bad_message        Fault::proxy_bad_answer: no HTTP, a head above 16 KiB, another status, bytes behind a
//   2xx
Task<std::unique_ptr<Stream>> connect_tunnel(std::unique_ptr<Stream> stream, Proxy proxy,
                                             std::string authority);

}  // namespace escapement::http::detail
