// HostFetch: the host's fetch() as a Service.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::wasm {

// Each limit is finite by default; Duration::max() is none.
struct HostFetchOptions {
  // From handing the request to the host until the response head. A request body adds a second for each 64
  // KiB, as the host sends it in this time (of a body that is passed on unseen, and whose length is not
  // known, 256 seconds). Where the body streams, it counts from its last piece.
  Duration head_timeout = 30s;
  // The longest time that a read of the response body may be pending, and in which the host takes nothing of
  // a streaming request body.
  Duration stall_timeout = 30s;
  // The most bytes of a streaming request body that are collected, where the host cannot stream it.
  std::size_t streamed_body_max = 1 * MiB;
  // The fetches of one Worker request, or one task, that may wait for a response's head at once. Others
  // queue, and none of their other limits runs meanwhile. 0: as the host does it, which is six in Workers,
  // and no limit elsewhere. The first fetch of a context decides.
  int heads_max = 0;
  // The longest time in that queue. Fails with Errc::timed_out, TimeLimit::queue, and nothing was sent.
  Duration queue_timeout = 30s;
};

// Sends each request by the global fetch() of the JS host. Names, connections, TLS and pooling are the
// host's; redirects are not followed (`redirect: "manual"`): the Redirect layer decides, as everywhere.
// Destroying the call, or the response's body before its end, aborts the fetch, once.
//
// A browser hides redirect responses. There, for GET and HEAD, the response is a 307 to the URL where the
// browser itself ends up (which costs one more request); for other methods it is Errc::unsupported.
//
// Bodies. A streaming request body streams (`duplex: "half"`); in browsers, which cannot do that over
// HTTP/1.1, it is collected first, up to `streamed_body_max`. A body of which C++ has read nothing never
// enters its memory: the response's body in a Worker's response, a request's in a fetch, or one fetch's in
// another are passed on as the host's own streams, and then the host's limits hold. Of a body that is read,
// pieces of up to 64 KiB come; one whose stated length is no more than that comes as one piece.
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
