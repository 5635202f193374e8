// Leaving HTTP: another protocol on the connection that a request came by (RFC 9110 section 7.8).
//
//     Task<> echo(std::unique_ptr<Stream> stream);
//
//     Task<http::Response> handle(http::Request request) {
//       co_return http::upgrade_to(request, "echo", echo);
//     }
//
// The connection still belongs to the server: it counts against its limits, and an access log has its 101
// when it ends. But the server's time limits no longer apply: the protocol has to deal with a peer that is
// silent or does not read.

#pragma once

#include <string_view>

#include <escapement/core/task.h>
#include <escapement/io/http/message.h>
#include <escapement/io/stream.h>

namespace escapement::http {

// A Protocol (message.h) is called with the stream once the 101 was sent, and speaks until its task has
// finished. Bytes of it that came with the request are read from the stream first.
//
// Destroying the stream closes the connection; a stream that is kept beyond the task no
// longer belongs to the server. A failure is reported to Server::on_failure. The task is destroyed, and with
// it the stream and the callable, with the server, with the task that serves the connection, and when a
// shutdown's grace period is over before it has finished: Server::shutdown_begins tells it in time. To the
// peer, an end of the stream looks the same then: a protocol whose data could look complete calls
// Stream::reset_on_close until it is.

// Returns whether the client of `request` asks for `protocol`, such as "websocket", and may be given it:
// Upgrade lists it, and Connection says so. HTTP/1.0 cannot ask. Names compare without case.
bool offers_upgrade(const Request& request, std::string_view protocol);

// Returns the response that leaves HTTP if `request` offers `protocol`: a 101, to whose headers the caller
// adds the fields that the protocol needs. Else a 426, which names the protocol.
//
// The response is for the server of this connection, and goes out only after the whole request was read, with
// its body. Otherwise the handler has failed: 500, reported to Server::on_failure.
Response upgrade_to(const Request& request, std::string_view protocol, Protocol run);

}  // namespace escapement::http
