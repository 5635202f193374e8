#include <escapement/io/native/detail/descriptor_stream.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <escapement/io/native/detail/system.h>

namespace escapement::detail {

Task<std::size_t> DescriptorStream::read_task(MutableBytes into) {
  ESC_CHECK(!into.empty());
  if (!take_turn()) co_await yield();
  for (;;) {
    const ssize_t count = receive(into);
    if (count >= 0) co_return static_cast<std::size_t>(count);
    if (count == failed) co_return broken_off("read from ", std::exchange(read_failed_, 0));
    waits();
    if (!socket_.watched()) co_await socket_.begin_watch();
    co_await socket_.readable();
  }
}

std::optional<std::size_t> DescriptorStream::read_now(MutableBytes into) {
  const ssize_t count = receive(into);
  if (count == none_yet) return std::nullopt;
  return count == failed ? 0 : static_cast<std::size_t>(count);
}

ssize_t DescriptorStream::receive(MutableBytes into) {
  if (ended_) return 0;
  if (read_failed_ != 0) return failed;
  if (!kind_.reads) read_failed_ = EBADF;
  if (read_failed_ != 0) return failed;
  if (!socket_.watch().may_read) return none_yet;
  const ssize_t count = receive_once(into);
  ended_ = count == 0;
  if (count >= 0) return count;
  const int number = errno;
  if (number == EIO && ::isatty(socket_.fd()) == 1) {
    ended_ = true;
    return 0;
  }
  if (number != EAGAIN) {
    read_failed_ = number;
    return failed;
  }
  socket_.watch().drained_for_now();
  return none_yet;
}

ssize_t DescriptorStream::receive_once(MutableBytes into) {
  for (;;) {
    const ssize_t count = kind_.socket ? ::recv(socket_.fd(), into.data(), into.size(), 0)
                                       : ::read(socket_.fd(), into.data(), into.size());
    if (count >= 0 || errno != EINTR) return count;
  }
}

Task<> DescriptorStream::write_task(Bytes bytes) {
  if (!take_turn()) co_await yield();
  for (;;) {
    if (write_failed_ != 0) co_await broken_off("write to ", std::exchange(write_failed_, 0));
    if (socket_.watch().may_write) bytes = bytes.subspan(write_now(bytes));
    if (bytes.empty()) co_return;
    if (write_failed_ != 0) continue;
    waits();
    co_await socket_.begin_watch_writes();
    co_await socket_.writable();
  }
}

std::size_t DescriptorStream::write_now(Bytes bytes) {
  std::size_t sent = 0;
  if (!kind_.writes) write_failed_ = EBADF;
  while (sent < bytes.size() && write_failed_ == 0) {
    const ssize_t count = send_once(bytes.subspan(sent));
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      socket_.watch().may_write = false;
      break;
    } else if (errno != EINTR) {
      write_failed_ = errno;
    }
  }
  return sent;
}

ssize_t DescriptorStream::send_once(Bytes bytes) {
  if (socket_.fd() < 0) errno = EPIPE;  // closed by shutdown_write
  if (socket_.fd() < 0) return -1;
  if (kind_.socket) return ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return posix::write_quietly(socket_.fd(), bytes.data(), bytes.size());
}

bool DescriptorStream::watch(Reactor&, Runnable* waiter) {
  if (socket_.fd() < 0) return false;
  if (waiter != nullptr && !socket_.watched() && !socket_.begin_watch()) return false;
  socket_.at_next_event(waiter);
  return true;
}

Task<> DescriptorStream::shutdown_write() {
  if (kind_.socket) {
    if (::shutdown(socket_.fd(), SHUT_WR) != 0) co_await broken_off("half-close to ", errno);
    co_return;
  }
  if (kind_.reads || !kind_.writes || kind_.borrowed) {
    co_await Error(Errc::unsupported, peer_ + " has no half-close");
  }
  close();
}

bool DescriptorStream::readable_or_closed() {
  if (ended_ || socket_.fd() < 0) return true;
  pollfd polled{socket_.fd(), static_cast<short>(kind_.reads ? POLLIN : 0), 0};
  if (::poll(&polled, 1, 0) <= 0) return false;
  socket_.watch().may_read = true;  // whatever the poller has reported so far
  return true;
}

void DescriptorStream::reset_on_close() {
  const linger at_once{1, 0};
  if (kind_.socket) ::setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Error DescriptorStream::broken_off(std::string_view what, int number) const {
  std::string sentence(what);
  sentence += peer_;
  if (number != EBADF) return Error::from_errno(number, sentence, Errc::reset);
  return Error(Errc::invalid_argument, sentence + ": it was not opened for that direction");
}

// Takes the descriptor out of the poller first: epoll would keep an open file that other processes share.
void DescriptorStream::close() {
  posix::Fd fd = socket_.release();
  if (!fd) return;
  socket_.watch().may_write = true;  // later writes fail and do not wait
  if (kind_.restores_blocking) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
  }
  if (kind_.borrowed) fd.release();
}

}  // namespace escapement::detail
