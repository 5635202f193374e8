// HostFetch: the host's fetch() as a Service.

#pragma once

#include <escapement/io/http/service.h>

namespace escapement::wasm {

// Sends each request by the global fetch() of the JS host. Names, connections, TLS and pooling are the
// host's; redirects are not followed (`redirect: "manual"`): the Redirect layer decides, as everywhere.
// Destroying the call, or the response's body before its end, aborts the fetch, once.
//
// A browser hides what a redirect says. There, for GET and HEAD, a redirect is answered as a 307 to the URL
// where the browser itself ends up (which costs a request more); for other methods it is Errc::unsupported.
// The request's body is sent as a whole: one that streams is collected first, up to 1 MiB.
//
// Where the host has decoded a body (gzip, deflate, br), its Content-Encoding and Content-Length are not
// shown.
//
// Fails, with the host's text: invalid_argument for what fetch() refuses to send (a GET with a body, a
// blocked port), not_found for a name that does not exist, unavailable when no connection came about,
// untrusted for a refused certificate (nothing was sent then); timed_out by a limit of the host's,
// bad_message. Hosts that do not say why, as browsers and workerd: reset, and how far the request came is
// unknown (Error::maybe_sent). Unsupported when the host has no fetch(); limit_exceeded for a streaming body
// that is too large.
class HostFetch {
 public:
  Task<http::Response> operator()(http::Request request) const;
};

}  // namespace escapement::wasm
