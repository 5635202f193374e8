// A descriptor and the backend's watch over it: the base of TCP, Unix and UDP sockets and of pipes.

#pragma once

#include <sys/socket.h>

#include <optional>
#include <utility>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>

namespace escapement::detail {

// The connections that a listener accepts before other tasks run.
inline constexpr int accepts_in_a_row_max = 32;

// Returns a socket option of the level SOL_SOCKET; nothing where the system has none for `fd`.
inline std::optional<int> socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) return std::nullopt;
  return value;
}

// A socket and the backend's watch over it. The watch starts when the socket first has to wait, so a
// connection that never waits costs no entry; it ends before the socket is closed.
class Socket {
 public:
  Socket(FdBackend& backend, posix::Fd fd) : backend_(backend) { watch_.fd = fd.release(); }
  Socket(const Socket&) = delete;
  ~Socket() {
    if (watched_) backend_.unwatch_closing(watch_);
    posix::Fd closes(watch_.fd);
  }

  Result<> begin_watch() {
    if (watched_) return {};
    Result<> watched = backend_.watch(watch_);
    watched_ = static_cast<bool>(watched);
    return watched;
  }
  bool watched() const { return watched_; }
  // Ends the watch and gives the socket away, for an owner that does not close it next. No operation may be
  // waiting.
  posix::Fd release() {
    if (std::exchange(watched_, false)) backend_.unwatch(watch_);
    writes_watched_ = false;
    return posix::Fd(std::exchange(watch_.fd, -1));
  }
  int fd() const { return watch_.fd; }
  FdWatch& watch() { return watch_; }
  const FdWatch& watch() const { return watch_; }
  Result<> begin_watch_writes() {
    if (writes_watched_) return {};
    Result<> watched = begin_watch();
    if (watched) watched = backend_.watch_writes(watch_);
    writes_watched_ = static_cast<bool>(watched);
    return watched;
  }
  // Requires begin_watch first.
  FdReadiness readable() { return until_readable(watch_); }
  // Requires begin_watch_writes first (checked: otherwise nothing would wake the waiter).
  FdReadiness writable() {
    ESC_CHECK(writes_watched_);
    return until_writable(watch_);
  }
  // Makes `waiter` ready at the next event. Nobody may be reading (checked: that reader would never be
  // woken).
  void at_next_event(Runnable* waiter) {
    ESC_CHECK(watch_.readable == nullptr || watch_.news_only);
    watch_.readable = waiter;
    watch_.news_only = true;
  }

 private:
  FdBackend& backend_;
  FdWatch watch_;
  bool watched_ = false;
  bool writes_watched_ = false;
};

}  // namespace escapement::detail
