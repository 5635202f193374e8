// Unix stream sockets: connections between processes of one machine, by a path or an abstract name.
//
//     Result<std::unique_ptr<UnixListener>> listener = listen_unix(loop.backend(), "/run/app.sock");
//     co_await server.serve(*std::move(listener));                       // HTTP on it
//
//     UnixNetwork network(loop.backend(), "/run/app.sock");
//     http::Client client(network);                                      // every host is behind that path
//
// A name is the path of a socket file, of at most 107 bytes; "@name" is an abstract name, which exists only
// while something listens there, needs no file, and has no permissions (Linux; elsewhere unsupported). A
// leading "unix:" is skipped. Names that are empty, too long or contain a zero byte are invalid_argument.
//
// Streams are like TCP's, with these differences. `Stream::peer` is "unix:/run/app.sock" for the side that
// connected, and "unix:pid=4711,uid=1000" for the side that accepted. `Stream::peer_host` is nullopt: limits
// per peer do not apply. `Stream::reset_on_close` has no effect: to the peer every close looks like the end,
// or like a reset if it left bytes unread.
//
// Source: unix(7).

#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/stream.h>

namespace escapement {

// The process at the other end, as it was when it connected (SO_PEERCRED): its id, user and group. It may
// have passed the socket on, and its id may have been reused since; user and group cannot be forged.
struct UnixCredentials {
  pid_t process = 0;  // the process id
  uid_t user = 0;     // the effective user id
  gid_t group = 0;    // the effective group id
};

// Settings of a listener.
struct UnixListenOptions {
  // Permissions of the socket file: connecting needs write permission. By default only this user may. The
  // file never has more than these, not even for a moment; the folder's permissions count as well. Does not
  // apply to abstract names, which everybody on the machine (in the network namespace) may connect to: use
  // `allow`.
  mode_t mode = 0600;
  // The number of connections that the kernel completes before they are accepted.
  int backlog = 1024;
  // Removes a socket file that a dead program left behind. That is one at which nothing listens, found out by
  // connecting to it; a file that is no socket is never removed. Two programs that start at the same moment
  // may both find it stale, and the later one gets the path.
  bool remove_stale = true;
  // Removes the socket file when the listener is destroyed, if it is still the one that it made.
  bool unlink_at_end = true;
  // Decides whether a client may connect, by its user for example; others are closed at once. Empty: all may.
  std::function<bool(const UnixCredentials&)> allow;
};

// An accepted connection.
struct UnixConnection {
  UnixConnection(std::unique_ptr<Stream> s, const UnixCredentials& p) : stream(std::move(s)), peer(p) {}
  std::unique_ptr<Stream> stream;  // to the client
  UnixCredentials peer;            // the client, when it connected
};

// A listener that also knows who connects.
class UnixListener : public Listener {
 public:
  // Like `accept`, together with the client's credentials.
  virtual Task<UnixConnection> accept_unix() = 0;
  // Always 0; `address` is "unix:/run/app.sock".
  std::uint16_t port() const final { return 0; }
};

// Listens at `name`. `backend` must outlive the listener. Fails with invalid_argument (the name, the folder
// does not exist), address_in_use (something listens there, or a file that is no socket is in the way),
// permission_denied, overloaded.
Result<std::unique_ptr<UnixListener>> listen_unix(FdBackend& backend, std::string_view name,
                                                  UnixListenOptions options = UnixListenOptions());

// Makes a listener of a socket that listens already, such as an inherited one. Of the options only `allow`
// applies; the socket file stays. Fails with invalid_argument, and leaves `socket` as it was, if it is no
// listening Unix stream socket.
Result<std::unique_ptr<UnixListener>> adopt_unix_listener(FdBackend& backend, posix::Fd&& socket,
                                                          UnixListenOptions options = UnixListenOptions());

// Connects to `name`; `backend` must outlive the stream. While the listener's backlog is full, which the
// kernel does not report the end of, it tries again after 1 ms, then less and less often, up to every 50 ms.
// Fails, with nothing sent, with invalid_argument (the name), unavailable (nothing listens there, or there is
// no such file), permission_denied, overloaded, and timed_out (TimeLimit::connect) after `limit`.
Task<std::unique_ptr<Stream>> connect_unix(FdBackend& backend, std::string name, Duration limit = 10s);

// A Network in which every host and port is the socket `name`: for clients of a service that listens there.
class UnixNetwork final : public Network {
 public:
  // `backend` must outlive the network and everything that it made.
  UnixNetwork(FdBackend& backend, std::string name, UnixListenOptions options = UnixListenOptions())
      : backend_(backend), name_(std::move(name)), options_(std::move(options)) {}

  // Connects to `name`, whatever the host and port. See connect_unix.
  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port) override;
  // Listens at `address`, a name; empty: the network's own. See listen_unix.
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;

 private:
  FdBackend& backend_;
  const std::string name_;
  const UnixListenOptions options_;
};

}  // namespace escapement
