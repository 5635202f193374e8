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
// Fails: reset when fetch() failed, which says nothing about how far the request came; unsupported when the
// host has no fetch(); limit_exceeded for a streaming body that is too large.
class HostFetch {
 public:
  Task<http::Response> operator()(http::Request request) const;
};

}  // namespace escapement::wasm
