// DescriptorStream: a Stream over one descriptor. Pipes, terminals and Unix sockets are made of it.

#pragma once

#include <optional>
#include <string>
#include <utility>

#include <escapement/io/native/detail/socket.h>
#include <escapement/io/stream.h>

namespace escapement::detail {

// The facts about a descriptor that decide how it is used.
struct DescriptorKind {
  bool socket = false;  // recv and send instead of read and write
  bool reads = true;
  bool writes = true;
  bool borrowed = false;           // left open at the end
  bool restores_blocking = false;  // made blocking again at the end
};

// Unlike TCP's stream it reads until EAGAIN: a short read says nothing about a terminal, which returns one
// line, nor about a Unix socket, which stops where a message carried descriptors.
class DescriptorStream final : public Stream {
 public:
  // `fd` is non-blocking.
  DescriptorStream(FdBackend& backend, posix::Fd fd, DescriptorKind kind, std::string peer)
      : socket_(backend, std::move(fd)), kind_(kind), peer_(std::move(peer)) {}
  ~DescriptorStream() override { close(); }

  Task<std::size_t> read_task(MutableBytes into) override;
  std::optional<std::size_t> read_now(MutableBytes into) override;
  Task<> write_task(Bytes bytes) override;
  std::size_t write_now(Bytes bytes) override;
  bool watch(Reactor&, Runnable* waiter) override;
  bool write_closed() const override { return socket_.watch().write_closed; }
  bool read_closed() const override { return socket_.watch().ending; }
  Task<> shutdown_write() override;
  bool readable_or_closed() override;
  void reset_on_close() override;
  std::string peer() const override { return peer_; }

  Socket& socket() { return socket_; }

 private:
  static constexpr ssize_t none_yet = -1;
  static constexpr ssize_t failed = -2;  // read_failed_ holds the errno

  // Returns the number of bytes read, 0 at the end, or one of the two values above.
  ssize_t receive(MutableBytes into);
  ssize_t receive_once(MutableBytes into);
  ssize_t send_once(Bytes bytes);
  Error broken_off(std::string_view what, int number) const;
  void close();

  Socket socket_;
  const DescriptorKind kind_;
  const std::string peer_;
  bool ended_ = false;  // the end was read: a terminal reports it only once
  // The errno of a failure that has not been reported yet; the kernel may report it only once.
  int read_failed_ = 0;
  int write_failed_ = 0;
};

}  // namespace escapement::detail
