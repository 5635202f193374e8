// Slow peers, many at once: request heads that trickle, request bodies that trickle, and answers that nobody
// reads, a third each. `--help` says how to use it. Says "ready" when all of them are there, and prints one
// line of JSON when the server has cut them all, or when it was given long enough to.

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "sockets.h"

namespace {

constexpr const char* usage =
    "bench_attack PORT [--connections N] [--pause S] [--seconds S]\n\n"
    "  --connections N  slow peers, 5000\n"
    "  --pause S        each sends a little every S seconds, 1\n"
    "  --seconds S      gives up waiting to be cut after so long, 60\n";

using bench::now;

struct Kind {
  const char* name;
  std::string_view first;
  std::string_view then;  // every pause; empty: nothing
};

constexpr std::array<Kind, 3> kinds{{
    {"heads", "GET / HTTP/1.1\r\nHost: example.com\r\n", "X-A: b\r\n"},
    {"bodies", "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000\r\n\r\n", "x"},
    {"readers", "GET /big HTTP/1.1\r\nHost: example.com\r\n\r\n", ""},
}};

struct Options {
  std::uint16_t port = 0;
  int connections = 5000;
  double pause = 1;
  double seconds = 60;
};

class Attack {
 public:
  explicit Attack(const Options& options)
      : options_(options), peers_(static_cast<std::size_t>(options.connections)) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  }

  bool run() {
    for (std::size_t i = 0; i < peers_.size(); ++i) open(peers_[i], kinds[i % kinds.size()]);
    std::puts("ready");
    std::fflush(stdout);
    const std::int64_t began = now();
    const std::int64_t ends = began + static_cast<std::int64_t>(options_.seconds * 1e9);
    while (cut_ < peers_.size() && now() < ends) {
      send_what_is_due(began);
      std::array<epoll_event, 256> events;
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1);
      for (int i = 0; i < count; ++i) look(*static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    report();
    return cut_ == peers_.size();
  }

 private:
  struct Peer {
    int fd = -1;
    const Kind* kind = nullptr;
    std::int64_t began = 0;
    std::int64_t ended = 0;
  };

  void open(Peer& peer, const Kind& kind) {
    peer.kind = &kind;
    peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer.fd < 0) bench::fail("socket");
    const int little = 2048;
    if (kind.then.empty()) ::setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    const sockaddr_in address = bench::local_address(options_.port);
    if (::connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      bench::fail("connect");
    if (::send(peer.fd, kind.first.data(), kind.first.size(), MSG_NOSIGNAL) < 0) bench::fail("send");
    peer.began = now();
    epoll_event event{};
    event.events = (kind.then.empty() ? 0U : EPOLLIN) | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &peer;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event);
  }

  // Evenly over the pause, not all at once: their number is the attack, not their pace.
  void send_what_is_due(std::int64_t began) {
    const double each = options_.pause * 1e9 / static_cast<double>(peers_.size());
    const auto due = static_cast<std::uint64_t>(static_cast<double>(now() - began) / each);
    for (; turn_ < due; ++turn_) {
      Peer& peer = peers_[turn_ % peers_.size()];
      const std::string_view bytes = peer.kind->then;
      if (peer.fd < 0 || bytes.empty()) continue;
      if (::send(peer.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        cut(peer);
    }
  }

  // An answer (408) and then the end, or a reset.
  void look(Peer& peer) {
    if (peer.fd < 0) return;
    std::array<char, 4096> room;
    for (;;) {
      const ssize_t count = ::recv(peer.fd, room.data(), room.size(), MSG_DONTWAIT);
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) return cut(peer);
    }
  }

  void cut(Peer& peer) {
    ::close(peer.fd);
    peer.fd = -1;
    peer.ended = now();
    ++cut_;
  }

  void report() const {
    std::printf("{\"connections\": %zu, \"cut\": %zu, \"kinds\": {", peers_.size(), cut_);
    for (const Kind& kind : kinds) {
      double slowest = 0;
      int left = 0;
      for (const Peer& peer : peers_) {
        if (peer.kind != &kind) continue;
        if (peer.fd >= 0) ++left;
        if (peer.fd < 0) slowest = std::max(slowest, static_cast<double>(peer.ended - peer.began) / 1e9);
      }
      std::printf("%s\"%s\": {\"left\": %d, \"slowest_s\": %.2f}", &kind == kinds.data() ? "" : ", ",
                  kind.name, left, slowest);
    }
    std::puts("}}");
  }

  Options options_;
  std::vector<Peer> peers_;
  int epoll_ = -1;
  std::uint64_t turn_ = 0;
  std::size_t cut_ = 0;
};

bool parse(int argc, char** argv, Options& options) {
  const auto flag = [](std::string_view) { return false; };
  const auto option = [&](std::string_view name, const char* value) {
    if (name == "--connections") {
      options.connections = std::max(1, std::atoi(value));
    } else if (name == "--pause") {
      options.pause = std::max(0.001, std::atof(value));
    } else if (name == "--seconds") {
      options.seconds = std::atof(value);
    } else {
      return false;
    }
    return true;
  };
  return bench::read_arguments(argc, argv, options.port, flag, option);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(usage, stderr);
    return 2;
  }
  bench::allow_many_descriptors();
  return Attack(options).run() ? 0 : 1;
}
