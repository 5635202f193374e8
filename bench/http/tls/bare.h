// The limit that the kernel and a TLS library set: bare epoll around it, as bench_bare is without TLS. The
// library sees bytes in memory, so that one recv brings a whole flight and one send takes it away. Two
// programs are made from it: mbedTLS set up as the library sets it up, and OpenSSL, to say how far apart the
// two are.

#pragma once

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../answer.h"
#include "../sockets.h"

namespace bench {

// The result of a session's call: so many bytes, or one of these.
constexpr int session_waits = 0;
constexpr int session_ended = -1;

constexpr std::size_t piece_size = 16 * 1024;
constexpr std::size_t big_size = 64 * 1024 * 1024;

// Session: constructed from a Context&; handshake(), read(room, size) and write(bytes, size) return as above
// (handshake: anything positive when done); `incoming` is what has arrived, `outgoing` what is to be sent.
template <class Context, class Session>
class TlsServer {
 public:
  TlsServer(Context& context, bool big) : context_(context), big_(big), piece_(piece_size, 'x') {}

  void run() {
    listener_ = listen_and_say();
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    add(listener_, EPOLLIN, nullptr);
    std::vector<epoll_event> events(256);
    while (stopped == 0) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        auto* peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer == nullptr) {
          accept_all();
        } else if (!serve(*peer, events[i].events)) {
          ::close(peer->fd);
          delete peer;
        }
      }
    }
  }

 private:
  struct Peer {
    explicit Peer(Context& context) : session(context) {}
    Session session;
    int fd = -1;
    bool established = false;
    std::string unread;    // of an unfinished head
    std::size_t left = 0;  // of a big body
  };

  void add(int fd, std::uint32_t events, Peer* peer) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = peer;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      auto* peer = new Peer(context_);
      peer->fd = fd;
      add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, peer);
    }
  }

  // False: the connection is over.
  bool serve(Peer& peer, std::uint32_t events) {
    if ((events & EPOLLIN) != 0) {
      const ssize_t count = ::recv(peer.fd, received_, sizeof received_, 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return false;
      if (count > 0) peer.session.incoming.append(received_, static_cast<std::size_t>(count));
    }
    return talk(peer) && send(peer);
  }

  bool talk(Peer& peer) {
    if (!peer.established) {
      const int outcome = peer.session.handshake();
      if (outcome <= 0) return outcome == session_waits || (send(peer), false);
      peer.established = true;
    }
    for (;;) {
      const int count = peer.session.read(plain_, sizeof plain_);
      if (count == session_ended) return false;
      if (count == session_waits) return true;
      peer.unread.append(plain_, static_cast<std::size_t>(count));
      if (!answer_all(peer)) return false;
    }
  }

  bool answer_all(Peer& peer) {
    for (;;) {
      const std::size_t end = peer.unread.find("\r\n\r\n");
      if (end == peer.unread.npos) return true;
      peer.unread.erase(0, end + 4);
      static const std::string big_head =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(big_size) + "\r\n\r\n";
      const std::string_view head = big_ ? std::string_view(big_head) : answer;
      if (peer.session.write(head.data(), head.size()) != static_cast<int>(head.size())) return false;
      if (big_) peer.left += big_size;
    }
  }

  // All there is to send; a body as far as the socket takes it.
  bool send(Peer& peer) {
    std::string& outgoing = peer.session.outgoing;
    for (;;) {
      while (peer.left != 0 && outgoing.size() < 4 * piece_size) {
        const int count = peer.session.write(piece_.data(), std::min(piece_.size(), peer.left));
        if (count <= 0) return false;
        peer.left -= static_cast<std::size_t>(count);
      }
      if (outgoing.empty()) return true;
      const ssize_t sent = ::send(peer.fd, outgoing.data(), outgoing.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      outgoing.erase(0, static_cast<std::size_t>(sent));
    }
  }

  Context& context_;
  bool big_;
  const std::string piece_;
  int listener_ = -1;
  int epoll_ = -1;
  char received_[64 * 1024];
  char plain_[16 * 1024];
};

// main() of both: PROGRAM CERTIFICATE KEY [big]
template <class Context, class Session>
int serve_tls(int argc, char** argv) {
  const bool big = argc == 4 && std::string_view(argv[3]) == "big";
  if (argc != 3 && !big) {
    std::fprintf(stderr, "usage: %s CERTIFICATE KEY [big]\n", argv[0]);
    return 2;
  }
  stop_on_sigterm();
  Context context(argv[1], argv[2]);
  auto server = std::make_unique<TlsServer<Context, Session>>(context, big);
  server->run();
  return 0;
}

}  // namespace bench
