// The limit that the kernel sets: a bare epoll program. `bench_bare echo` sends back what it receives;
// `bench_bare http` looks for the ends of request heads and answers each with the same bytes, those that one
// read brought in one write; `bench_bare big BYTES` does so with a body of that size. No timer, no limit, no
// parser: nothing that a server needs, only the system calls that it cannot do without.

#include <sys/epoll.h>

#include <string>
#include <string_view>
#include <vector>

#include "answer.h"
#include "sockets.h"

namespace {

constexpr std::size_t room = 64 * 1024;

// Per descriptor; empty but for what arrived of an unfinished head or was not taken by a full socket.
struct Peer {
  std::string unread;
  std::string unsent;
  std::size_t big_left = 0;  // of a large answer
};

class Server {
 public:
  explicit Server(bool http, std::size_t big) : http_(http), received_(room) {
    if (big == 0) return;
    big_ = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
           std::to_string(big) + "\r\n\r\n" + std::string(big, 'x');
  }

  void run() {
    listener_ = bench::listen_and_say();
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    add(listener_, EPOLLIN);
    std::vector<epoll_event> events(256);
    while (bench::stopped == 0) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == listener_) {
          accept_all();
        } else if (!big_.empty()) {
          serve_big(events[i].data.fd);
        } else if ((events[i].events & EPOLLOUT) != 0 && !peers_[events[i].data.fd].unsent.empty()) {
          send(events[i].data.fd, {});
        } else {
          serve(events[i].data.fd);
        }
      }
    }
  }

 private:
  void add(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) bench::fail("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      if (peers_.size() <= static_cast<std::size_t>(fd)) peers_.resize(static_cast<std::size_t>(fd) * 2);
      add(fd, EPOLLIN | EPOLLRDHUP | EPOLLET | (big_.empty() ? 0 : EPOLLOUT));
    }
  }

  void serve(int fd) {
    for (;;) {
      const ssize_t count = ::recv(fd, received_.data(), received_.size(), 0);
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) return close(fd);
      const std::string_view bytes(received_.data(), static_cast<std::size_t>(count));
      if (http_) {
        answer_all(fd, bytes);
      } else {
        send(fd, bytes);
      }
      if (static_cast<std::size_t>(count) < received_.size()) return;
    }
  }

  // One request at a time, in one piece.
  void serve_big(int fd) {
    Peer& peer = peers_[fd];
    for (;;) {
      if (peer.big_left == 0) {
        const ssize_t count = ::recv(fd, received_.data(), received_.size(), 0);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) return close(fd);
        peer.big_left = big_.size();
      }
      const char* const from = big_.data() + big_.size() - peer.big_left;
      const ssize_t sent = ::send(fd, from, peer.big_left, MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) return close(fd);
      peer.big_left -= static_cast<std::size_t>(sent);
    }
  }

  // One answer for each end of a head; what follows the last one waits for more.
  void answer_all(int fd, std::string_view bytes) {
    std::string& unread = peers_[fd].unread;
    if (!unread.empty()) bytes = unread.append(bytes);
    answers_.clear();
    for (;;) {
      const void* end = ::memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4);
      if (end == nullptr) break;
      answers_ += bench::answer;
      bytes.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data()) + 4);
    }
    if (!bytes.empty() || !unread.empty()) unread = std::string(bytes);
    if (!answers_.empty()) send(fd, answers_);
  }

  void send(int fd, std::string_view bytes) {
    std::string& unsent = peers_[fd].unsent;
    if (!unsent.empty()) bytes = unsent.append(bytes);
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) return close(fd);
    const std::size_t sent = count < 0 ? 0 : static_cast<std::size_t>(count);
    if (sent == bytes.size() && unsent.empty()) return;
    unsent = std::string(bytes.substr(sent));
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }

  void close(int fd) {
    peers_[fd] = Peer();
    ::close(fd);
  }

  bool http_;
  int listener_ = -1;
  int epoll_ = -1;
  std::vector<char> received_;
  std::string answers_;
  std::string big_;  // the large answer; empty: the usual one
  std::vector<Peer> peers_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc >= 2 ? argv[1] : "";
  const std::size_t big = mode == "big" && argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (big == 0 && ((mode != "echo" && mode != "http") || argc != 2)) {
    std::fprintf(stderr, "usage: bench_bare echo|http|big BYTES\n");
    return 2;
  }
  bench::stop_on_sigterm();
  Server(mode != "echo", big).run();
}
