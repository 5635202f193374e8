// A Stream from any descriptor that can be waited for: a pipe, a terminal, a FIFO, a socketpair, an inherited
// descriptor.
//
//     Result<std::unique_ptr<Stream>> input = borrowed_descriptor_stream(loop.backend(), STDIN_FILENO);
//     std::size_t count = co_await (*input)->read(room);
//
// The descriptor is made non-blocking (fcntl(2), O_NONBLOCK) and made blocking again at the stream's end if
// it was so before. That flag belongs to the open file, not to the descriptor: whatever shares it, such as
// the shell that lent its terminal, finds it non-blocking meanwhile. Where two streams share an open file
// (standard input and output of one terminal), destroy the one that was made first last.
//
// A descriptor that was opened for one direction gives a stream of one direction: using the other one fails
// with invalid_argument. A write to a pipe without a reader fails with reset and raises no SIGPIPE; that
// costs two system calls for each write to something that is not a socket. A read that fails with EIO on a
// terminal is the end: the other side of a pseudo-terminal has closed.
//
// `Stream::shutdown_write` half-closes a socket, and closes a pipe that is owned and only written. It fails
// with unsupported for terminals and borrowed pipes, which have no such thing. `Stream::send_file` copies.
// `Stream::reset_on_close` has no effect except on TCP sockets: to the peer of a pipe or a Unix socket every
// close is the end.
//
// Source: pipe(7), fcntl(2), epoll_ctl(2), termios(3).

#pragma once

#include <memory>
#include <string>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/stream.h>

namespace escapement {

// Makes a stream that owns `fd` and closes it at its end. `name` is the stream's `peer()` and appears in
// errors; empty: "descriptor 5". `backend` must outlive the stream.
//
// Fails, and leaves `fd` as it was, with invalid_argument: for a descriptor that is not open; for a regular
// file, a folder or a block device, which are always ready, so that no poller can wait for them (read and
// write those by offload.h, or send them by `Stream::send_file`); for a datagram socket (udp.h); and for
// a listening socket (activation.h).
Result<std::unique_ptr<Stream>> descriptor_stream(FdBackend& backend, posix::Fd&& fd, std::string name = {});

// Like descriptor_stream, but leaves the descriptor open at the end. It must stay open as long as the stream.
Result<std::unique_ptr<Stream>> borrowed_descriptor_stream(FdBackend& backend, int fd, std::string name = {});

}  // namespace escapement
