// The limit that the kernel sets for a client: a bare epoll program that asks for the same page over and over
// on many connections. It looks for the end of a response's head and for its Content-Length, and counts its
// body. No pool, no timer, no parser: nothing that a client needs, only the system calls that it cannot do
// without. `--help` says how to use it. Prints one line of JSON.

#include <sys/epoll.h>

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "client_run.h"
#include "sockets.h"

namespace {

constexpr std::size_t room = 64 * 1024;

struct Peer {
  int fd = -1;
  std::string head;         // what has arrived of one that is not complete
  std::size_t missing = 0;  // of the body
};

class Client {
 public:
  explicit Client(const bench::ClientRun& run)
      : run_(run), received_(room), peers_(static_cast<std::size_t>(run.connections)) {}

  void go() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (Peer& peer : peers_) open(peer);
    bench::Progress progress(run_);
    for (Peer& peer : peers_) ask(peer);
    std::vector<epoll_event> events(256);
    while (!progress.over()) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
      if (count > 0) progress.look_at_clock();
      for (int i = 0; i < count && !progress.over(); ++i) {
        Peer& peer = *static_cast<Peer*>(events[i].data.ptr);
        if (!receive(peer)) continue;
        progress.answered();
        ask(peer);
      }
    }
    progress.report();
  }

 private:
  void open(Peer& peer) {
    peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer.fd < 0) bench::fail("socket");
    const sockaddr_in address = bench::local_address(run_.port);
    if (::connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      bench::fail("connect");
    }
    bench::set_option(peer.fd, IPPROTO_TCP, TCP_NODELAY);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &peer;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event) != 0) bench::fail("epoll_ctl");
  }

  void ask(Peer& peer) {
    constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    const ssize_t sent = ::send(peer.fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) bench::fail("send");
  }

  // True at the end of a response.
  bool receive(Peer& peer) {
    const ssize_t count = ::recv(peer.fd, received_.data(), room, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) bench::fail("recv");
    std::string_view bytes(received_.data(), static_cast<std::size_t>(count));
    if (peer.missing == 0 && !read_head(peer, bytes)) return false;
    peer.missing -= bytes.size();
    return peer.missing == 0;
  }

  bool read_head(Peer& peer, std::string_view& bytes) {
    if (!peer.head.empty()) bytes = peer.head += bytes;
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) {
      if (peer.head.empty()) peer.head = bytes;
      return false;
    }
    constexpr std::string_view field = "Content-Length: ";
    const std::size_t at = bytes.find(field);
    if (at == bytes.npos) bench::fail("no length");
    std::from_chars(bytes.data() + at + field.size(), bytes.data() + end, peer.missing);
    const std::size_t body = bytes.size() - end - 4;
    bytes = std::string_view(bytes.data() + end + 4, body);
    if (!peer.head.empty()) peer.head.clear();
    return true;
  }

  const bench::ClientRun& run_;
  int epoll_ = -1;
  std::vector<char> received_;
  std::vector<Peer> peers_;
};

}  // namespace

int main(int argc, char** argv) {
  bench::ClientRun run;
  if (!run.read(argc, argv)) return 2;
  Client(run).go();
}
