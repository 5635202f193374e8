// UDP sockets: datagrams one by one or in batches.
//
//     std::unique_ptr<UdpSocket> socket = co_await UdpSocket::bind(loop.backend(), ":5353");
//     std::array<std::byte, 1500> room;
//     Datagram got = co_await socket->receive(room);
//     co_await socket->send_to(got.bytes, got.peer);
//
//     std::vector<ReceivedDatagram> batch(UdpSocket::batch_max);         // one system call for up to 64
//     for (std::size_t i = 0; i < batch.size(); ++i) batch[i].room = room_of(i);
//     const std::size_t count = co_await socket->receive_batch(batch);
//
// All buffers are the caller's and must outlive the operation. At most one receive and one send at a time,
// which may overlap. A socket that always has datagrams lets other tasks run after 32 operations in a row.
//
// Errors. The network reports that a datagram did not arrive (ICMP: port unreachable, ...), if at all, later,
// and the kernel hands the report to the next operation, a receive or a send, which fails with unavailable
// and has then received or sent nothing; the socket works on. Connected sockets get these reports always,
// others with UdpOptions::report_icmp; Error::peer then says which address it was about.
//
// Source: udp(7), ip(7), recvmmsg(2), sendmmsg(2).

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/core/task.h>
#include <escapement/io/address.h>
#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>

namespace escapement {

namespace detail {
class Socket;
}

// Settings of a UDP socket.
struct UdpOptions {
  // Lets several sockets share one address; the kernel spreads datagrams over them by their sender.
  bool reuse_port = false;
  // Makes ":PORT" mean every IPv6 address alone, not the IPv4 ones as well.
  bool only_v6 = false;
  // The kernel's buffers, in bytes; 0: the system's default, some 200 KiB. It caps larger ones silently
  // (net.core.rmem_max, wmem_max). Datagrams that find the receive buffer full are dropped.
  int receive_buffer = 0;
  int send_buffer = 0;
  // Makes operations of a socket that is not connected fail with what ICMP reports about its datagrams.
  bool report_icmp = false;
};

// A datagram that was received.
struct Datagram {
  Bytes bytes;           // the beginning of the caller's buffer
  SocketAddress peer;    // the sender
  std::size_t size = 0;  // the datagram's own; more than bytes.size() if it was truncated
  // Returns whether the buffer was too small.
  bool truncated() const { return size > bytes.size(); }
};

// A place of a batch to receive.
struct ReceivedDatagram {
  MutableBytes room;  // set by the caller; may be empty
  // Set by receive_batch:
  SocketAddress peer;
  std::size_t size = 0;  // the datagram's own; more than room.size() if it was truncated
  bool truncated() const { return size > room.size(); }
  Bytes bytes() const { return room.first(truncated() ? room.size() : size); }
};

// A datagram of a batch to send.
struct OutgoingDatagram {
  OutgoingDatagram() = default;
  OutgoingDatagram(Bytes b, const SocketAddress& t) : bytes(b), to(t) {}
  Bytes bytes;       // must outlive the operation
  SocketAddress to;  // ignored by a connected socket
};

// A socket that sends and receives datagrams.
class UdpSocket {
 public:
  static constexpr std::size_t batch_max = 64;               // datagrams in one system call
  static constexpr std::size_t datagram_bytes_max = 65'507;  // over IPv4; the network may carry less

  // Makes a socket bound to "HOST:PORT", "[v6]:PORT" or ":PORT" (every address of this machine); port 0: any
  // free one. `backend` must outlive it. Fails with invalid_argument, address_in_use, permission_denied,
  // unavailable (the address is not this machine's), overloaded.
  static Result<std::unique_ptr<UdpSocket>> bind(FdBackend& backend, std::string_view address,
                                                 UdpOptions options = UdpOptions());
  // Makes a socket connected to `peer`, from a free port: it sends to and hears that address alone. Nothing
  // is sent. Fails with invalid_argument, unavailable (no route), overloaded.
  static Result<std::unique_ptr<UdpSocket>> connect(FdBackend& backend, const SocketAddress& peer,
                                                    UdpOptions options = UdpOptions());
  // Makes a socket of a bound descriptor, such as an inherited one. Fails with invalid_argument, and leaves
  // `socket` as it was, if it is no UDP socket.
  static Result<std::unique_ptr<UdpSocket>> adopt(FdBackend& backend, posix::Fd&& socket);
  UdpSocket(const UdpSocket&) = delete;
  // No operation may be waiting.
  ~UdpSocket();

  // Returns the address that it is bound to.
  SocketAddress address() const;

  // Waits for a datagram. An empty one is a datagram, too. Cancelling it loses none.
  Task<Datagram> receive(MutableBytes room);
  // Waits for a datagram and takes those that are there, up to `into.size()` and batch_max; `into` must not
  // be empty (checked). Yields how many, at least 1.
  Task<std::size_t> receive_batch(std::span<ReceivedDatagram> into);

  // Sends one datagram; waits while the kernel's buffer is full. Fails with limit_exceeded if it is too large
  // for UDP or for the network, unavailable (no route; or a report, see above), permission_denied (a
  // firewall, a broadcast address), invalid_argument (an IPv6 address on an IPv4 socket), overloaded.
  Task<> send_to(Bytes bytes, SocketAddress to);
  // The same to the peer of a connected socket; invalid_argument if it is not connected.
  Task<> send(Bytes bytes);
  // Sends the first of the datagrams, and as many of the others as the kernel takes in one call, at most
  // batch_max. Yields how many, at least 1; `from` must not be empty (checked). Fails as send_to if the first
  // cannot be sent; a later one that cannot be is the first of the next call.
  Task<std::size_t> send_batch(std::span<const OutgoingDatagram> from);

 private:
  UdpSocket(FdBackend& backend, posix::Fd fd, int family, bool connected, bool reports);
  static Result<std::unique_ptr<UdpSocket>> open(FdBackend& backend, int family, UdpOptions options,
                                                 std::string_view what);
  Error failure(int number, std::string_view what, std::string_view peer);
  int send_now(std::span<const OutgoingDatagram> from);
  bool turn_over();

  std::unique_ptr<detail::Socket> socket_;
  const int family_;
  bool connected_;
  const bool reports_;
  int turns_ = 0;  // operations in a row that did not wait
};

}  // namespace escapement
