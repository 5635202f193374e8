// HostFetch: the host's fetch() as a Service.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::wasm {

// Each limit is finite by default; Duration::max() is none.
struct HostFetchOptions {
  // From the request being given to the host to the response's head. A body is allowed a second more for each
  // 64 KiB: the host sends it in this time.
  Duration head_timeout = 30s;
  // A read of the response's body that is pending this long.
  Duration stall_timeout = 30s;
  // So much of a request's body that streams is collected.
  std::size_t streamed_body_max = 1 * MiB;
};

// Sends each request by the global fetch() of the JS host. Names, connections, TLS and pooling are the
// host's; redirects are not followed (`redirect: "manual"`): the Redirect layer decides, as everywhere.
// Destroying the call, or the response's body before its end, aborts the fetch, once.
//
// A browser hides what a redirect says. There, for GET and HEAD, a redirect is answered as a 307 to the URL
// where the browser itself ends up (which costs a request more); for other methods it is Errc::unsupported.
// The request's body is sent as a whole: one that streams is collected first, up to `streamed_body_max`.
//
// Where the host has decoded a body (gzip, deflate, br, zstd), its Content-Encoding and Content-Length are
// not shown.
//
// Fails, with the host's text: invalid_argument for what fetch() refuses to send (a GET with a body, a
// blocked port), not_found for a name that does not exist, unavailable when no connection came about,
// untrusted for a refused certificate (nothing was sent then); timed_out by a limit of the host's or one of
// those above, named; bad_message. Hosts that do not say why, as browsers and workerd: reset, and how far the
// request came is unknown (Error::maybe_sent). Unsupported when the host has no fetch(); limit_exceeded, with
// nothing sent, for a streaming body that is too large. A read of the body that was given up loses nothing:
// the next one gets its bytes. As with Client an Error says which limit it was (Error::limit: head or body),
// whom it was about and which attempt it was, and a Timeout layer what the call was doing.
class HostFetch {
 public:
  explicit HostFetch(HostFetchOptions options = HostFetchOptions()) : options_(options) {}

  Task<http::Response> operator()(http::Request request) const;

 private:
  HostFetchOptions options_;
};

}  // namespace escapement::wasm
