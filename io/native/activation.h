// Socket activation: takes the sockets that systemd, or another supervisor, opened before it started this
// program, and reports to it.
//
//     Result<std::vector<PassedSocket>> passed = take_passed_sockets();
//     for (PassedSocket& socket : *passed) {
//       Result<std::unique_ptr<Listener>> listener = passed_listener(loop.backend(), std::move(socket));
//       if (listener) scope.spawn(server.serve(*std::move(listener)));
//     }
//     notify_supervisor("READY=1");
//
// The supervisor sets LISTEN_PID to this process's id, LISTEN_FDS to the number of descriptors, which begin
// at 3, and LISTEN_FDNAMES to their names, separated by colons.
//
// Source: sd_listen_fds(3), sd_notify(3), systemd.socket(5).

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/stream.h>

namespace escapement {

// The kinds of descriptors that can be passed, found out by asking the kernel.
enum class PassedKind {
  tcp_listener,   // ListenStream= with an address: passed_listener
  unix_listener,  // ListenStream= with a path or an abstract name: passed_listener
  udp,            // ListenDatagram= with an address: UdpSocket::adopt (udp.h)
  connection,     // Accept=yes: descriptor_stream (descriptor.h)
  other           // a FIFO, a device, a Unix datagram socket, ...
};

// Returns the kind's name as written above: "tcp_listener".
std::string_view name(PassedKind kind);

// A descriptor that the supervisor passed.
struct PassedSocket {
  PassedSocket(std::string n, PassedKind k, std::string a, posix::Fd f)
      : name(std::move(n)), kind(k), address(std::move(a)), fd(std::move(f)) {}
  std::string name;  // FileDescriptorName=, by default the socket unit's name; "unknown" if none was passed
  PassedKind kind;   // found out from the descriptor itself
  std::string address;  // "127.0.0.1:8080", "unix:/run/app.sock"; empty for `other`
  posix::Fd fd;         // closes on exec
};

// Settings of `take_passed_sockets`.
struct ActivationOptions {
  // Removes the three variables from the environment, so that child processes do not take the sockets for
  // theirs. Like unsetenv(3) it must not run while another thread uses the environment: call it before
  // threads start.
  bool unset_environment = true;
  // The first descriptor, for tests; SD_LISTEN_FDS_START otherwise.
  int first = 3;
};

// Takes the descriptors that were passed, in order: none if LISTEN_FDS is not set or LISTEN_PID names another
// process. Call it once: a second call, if the variables are still set, would own the descriptors twice.
// Fails with invalid_argument, naming the variable, and takes nothing, if a variable is malformed, if the
// number of names is not that of descriptors, or if a descriptor is not open.
Result<std::vector<PassedSocket>> take_passed_sockets(ActivationOptions options = ActivationOptions());

// Makes a listener of a passed socket, for http::Server::serve. `backend` must outlive it. The supervisor
// keeps the socket open and its file in place. Fails with invalid_argument, naming the socket and its kind,
// and leaves `socket` as it was, if it is not a listening TCP or Unix socket.
Result<std::unique_ptr<Listener>> passed_listener(FdBackend& backend, PassedSocket&& socket);

// Sends a state to the supervisor: "READY=1", "STOPPING=1", "STATUS=42 clients", several separated by line
// feeds. Returns false if the supervisor does not listen (NOTIFY_SOCKET is not set). Does not wait. Fails
// with the system's error, and with invalid_argument if NOTIFY_SOCKET is malformed.
Result<bool> notify_supervisor(std::string_view state);

}  // namespace escapement
