// Leaving HTTP: another protocol on the connection that a request came by (RFC 9110 section 7.8).
//
//     Task<> echo(std::unique_ptr<Stream> stream);
//
//     Task<http::Response> handle(http::Request request) {
//       co_return http::upgrade_to(request, "echo", echo);
//     }
//
// The connection stays the server's: it counts against its limits, and an access log has its 101 when it
// ends. But none of the server's limits in time holds for it any more: a peer that is silent, or does not
// read, is the protocol's to deal with.

#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include <escapement/core/task.h>
#include <escapement/io/http/message.h>
#include <escapement/io/stream.h>

namespace escapement::http {

// What is spoken on a connection that has left HTTP, until its task is finished. Bytes of it that came with
// the request are read from the stream first.
//
// Whoever holds the stream closes the connection by destroying it; a stream that is kept beyond the task is
// no longer the server's. A failure is told to Server::on_failure. The task is destroyed, and with it the
// stream and the callable, with the server, with whoever serves the connection, and where a shutdown's grace
// is over before it has finished: Server::shutdown_begins tells it in time. An end of the stream looks the
// same to the peer then: a protocol whose data could look complete calls Stream::reset_on_close until it is.
using Protocol = std::function<Task<>(std::unique_ptr<Stream>)>;

// Whether the client of `request` asks for `protocol`, "websocket", and may be given it: it is listed in
// Upgrade, and Connection says so. HTTP/1.0 cannot ask. Names compare without case.
bool offers_upgrade(const Request& request, std::string_view protocol);

// The answer that leaves HTTP where `request` offers `protocol`: 101, with further fields as the protocol
// wants them in its headers. Else 426, which says what was wanted.
//
// It is for a server of this connection and goes out only after the whole request was read, a body too; else
// that is a failure of the handler's: 500, and told to Server::on_failure.
Response upgrade_to(const Request& request, std::string_view protocol, Protocol run);

}  // namespace escapement::http
