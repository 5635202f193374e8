// HostFetch: the host's fetch() as a Service.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::wasm {

// Each limit is finite by default; Duration::max() is none.
struct HostFetchOptions {
  // From handing the request to the host until the response head. A request body adds a second for each 64
  // KiB, as the host sends it in this time.
  Duration head_timeout = 30s;
  // The longest time that a read of the response body may be pending.
  Duration stall_timeout = 30s;
  // The most bytes of a streaming request body that are collected.
  std::size_t streamed_body_max = 1 * MiB;
};

// Sends each request by the global fetch() of the JS host. Names, connections, TLS and pooling are the
// host's; redirects are not followed (`redirect: "manual"`): the Redirect layer decides, as everywhere.
// Destroying the call, or the response's body before its end, aborts the fetch, once.
//
// A browser hides redirect responses. There, for GET and HEAD, the response is a 307 to the URL where the
// browser itself ends up (which costs one more request); for other methods it is Errc::unsupported. The
// request body is sent as a whole: a streaming one is collected first, up to `streamed_body_max`.
//
// If the host has decoded a body (gzip, deflate, br, zstd), its Content-Encoding and Content-Length are
// removed.
//
// Fails, with the host's text: invalid_argument if fetch() refuses to send the request (a GET with a body, a
// blocked port), not_found for a name that does not exist, unavailable if no connection was made, untrusted
// for a refused certificate (nothing was sent in these cases); timed_out by a limit of the host or one of
// those above, named; bad_message. Hosts that give no reason, as browsers and workerd: reset, and it is
// unknown how far the request came (Error::maybe_sent). Unsupported if the host has no fetch();
// limit_exceeded, with nothing sent, for a streaming body that is too large. A cancelled read of the body
// loses nothing: the next read gets its bytes. As with Client, an Error carries the limit (Error::limit: head
// or body), the peer and the attempt; a Timeout layer adds what the call was doing.
class HostFetch {
 public:
  explicit HostFetch(HostFetchOptions options = HostFetchOptions()) : options_(options) {}

  Task<http::Response> operator()(http::Request request) const;

 private:
  HostFetchOptions options_;
};

}  // namespace escapement::wasm
