// The load: a closed loop of requests over many connections on bare epoll, so that it costs no more than the
// barest server (wrk and h2load cost more, and would be the limit themselves). `--help` says how to use it.
// Prints one line of JSON.

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.h"
#include "sockets.h"

namespace {

constexpr const char* usage =
    "bench_load PORT [--echo BYTES | --request minimal|browser] [--connections N] [--depth N]\n"
    "           [--count N | --seconds S [--warm S] [--pid N]] [--lockstep] [--rate N] [--short] [--idle] "
    "[--vary]\n\n"
    "  --echo BYTES     messages of so many bytes; default: an HTTP GET\n"
    "  --request KIND   minimal (37 bytes) or browser (460 bytes)\n"
    "  --depth N        requests in flight on each connection (pipelining)\n"
    "  --count N        ends after so many answers; --seconds S: after so long\n"
    "  --warm S         does not count what is answered in the first S seconds\n"
    "  --pid N          also says how much CPU that process took meanwhile\n"
    "  --lockstep       the next round begins when every connection has its answers\n"
    "  --rate N         open loop: N requests a second; latency counts from when each should have been sent\n"
    "  --short          every request on a connection of its own, closed after the answer\n"
    "  --idle           one request on each connection, then waits for the end of standard input\n"
    "  --vary           a field more, X-Request-Id, with another value in every request\n";

constexpr std::string_view minimal = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
constexpr std::string_view browser =
    "GET / HTTP/1.1\r\nHost: example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef; theme=light\r\nUpgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n\r\n";

using bench::now;

// Latencies in buckets of 1/32 of their power of two.
class Histogram {
 public:
  void add(std::int64_t nanoseconds) {
    const std::uint64_t value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 32));
    const int power = std::bit_width(value) - 6;
    ++buckets_[static_cast<std::size_t>(power * 32) + (value >> power) - 32];
    ++count_;
  }
  // In microseconds.
  double quantile(double part) const {
    std::uint64_t left = static_cast<std::uint64_t>(static_cast<double>(count_) * part);
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i] > left) return static_cast<double>((32 + i % 32) << (i / 32)) / 1000.0;
      left -= buckets_[i];
    }
    return 0;
  }

 private:
  std::array<std::uint64_t, 32 * 64> buckets_{};
  std::uint64_t count_ = 0;
};

struct Options {
  std::uint16_t port = 0;
  std::size_t echo = 0;
  std::string_view request = minimal;
  int connections = 64;
  int depth = 1;
  std::uint64_t count = 0;
  double seconds = 1;
  double warm = 0;
  int pid = 0;
  bool lockstep = false;
  double rate = 0;
  bool short_lived = false;
  bool idle = false;
  bool vary = false;
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), received_(256 * 1024) {
    std::string one = options.echo != 0 ? std::string(options.echo, 'x') : std::string(options.request);
    if (options.vary) one.insert(one.size() - 2, "X-Request-Id: 00000000\r\n");
    for (int i = 0; i < options.depth; ++i) round_ += one;
    answer_size_ = options.echo;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    peers_.resize(static_cast<std::size_t>(options.connections));
  }

  void run() {
    for (Peer& peer : peers_) open(peer);
    warming_ = options_.warm > 0;
    next_due_ = now();
    begin(next_due_ + static_cast<std::int64_t>(options_.warm * 1e9));
    if (options_.rate == 0) send_all(now());
    std::vector<epoll_event> events(1024);
    while (!over()) {
      if (options_.rate != 0) send_what_is_due();
      const int count =
          ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), options_.rate != 0 ? 0 : 1000);
      if (options_.count == 0) look_at_clock();
      for (int i = 0; i < count; ++i) receive(*static_cast<Peer*>(events[i].data.ptr));
      if (options_.lockstep && waiting_ == 0 && !over()) send_all(now());
    }
    report(now() - began_);
  }

 private:
  struct Peer {
    int fd = -1;
    bool busy = false;        // something is in flight
    std::size_t missing = 0;  // bytes of the answers in flight
    bool learning = false;    // the first answer says how long they are
    std::string first;
    std::int64_t sent_at = 0;
    std::deque<std::int64_t> due;  // open loop: when requests that wait should have been sent
  };

  // From here on it counts.
  void begin(std::int64_t at) {
    began_ = at;
    ends_ = at + static_cast<std::int64_t>(options_.seconds * 1e9);
    answered_ = 0;
    latencies_ = Histogram();
    cpu_before_ = server_cpu();
  }

  void look_at_clock() {
    const std::int64_t at = now();
    if (warming_ && at >= began_) {
      warming_ = false;
      begin(at);
    }
    time_is_up_ = at >= ends_;
  }

  std::int64_t server_cpu() const { return options_.pid == 0 ? 0 : bench::cpu_of(options_.pid); }

  bool over() const {
    if (options_.idle) return answered_ >= peers_.size();
    return options_.count != 0 ? answered_ >= options_.count : time_is_up_;
  }

  void open(Peer& peer) {
    peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer.fd < 0) bench::fail("socket");
    bench::set_option(peer.fd, IPPROTO_TCP, TCP_NODELAY);
    const sockaddr_in address = bench::local_address(options_.port);
    if (::connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      bench::fail("connect");
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = &peer;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event);
    peer.learning = answer_size_ == 0;
  }

  void close(Peer& peer) {
    const linger at_once{1, 0};  // a reset: no TIME_WAIT, so that ports do not run out
    ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(peer.fd);
  }

  void send_all(std::int64_t at) {
    for (Peer& peer : peers_) send(peer, at);
  }

  // Another number in each request of a round, at its end.
  void vary() {
    constexpr std::size_t digits = 8, behind = 4;
    const std::size_t size = round_.size() / static_cast<std::size_t>(options_.depth);
    for (std::size_t end = size; end <= round_.size(); end += size) {
      std::uint64_t number = ++varied_;
      for (std::size_t i = 1; i <= digits; ++i, number /= 10) {
        round_[end - behind - i] = static_cast<char>('0' + number % 10);
      }
    }
  }

  void send(Peer& peer, std::int64_t at) {
    if (options_.vary) vary();
    std::string_view bytes = round_;
    // Not known yet how long an answer is: one request first.
    if (peer.learning) bytes = bytes.substr(0, round_.size() / static_cast<std::size_t>(options_.depth));
    peer.sent_at = at;
    peer.busy = true;
    peer.missing = answer_size_ * static_cast<std::size_t>(options_.depth);
    ++waiting_;
    while (!bytes.empty()) {  // the socket blocks: a peer that reads first would stop an echo of more
      const ssize_t count = ::send(peer.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) bench::fail("send");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void send_what_is_due() {
    const std::int64_t at = now();
    const std::int64_t period = static_cast<std::int64_t>(1e9 / options_.rate);
    for (; next_due_ <= at && next_due_ < ends_; next_due_ += period) {
      Peer& peer = peers_[turn_++ % peers_.size()];
      if (peer.busy) {
        peer.due.push_back(next_due_);
      } else {
        send(peer, next_due_);
      }
    }
  }

  void receive(Peer& peer) {
    const ssize_t count = ::recv(peer.fd, received_.data(), received_.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) bench::fail("recv");
    const std::string_view bytes(received_.data(), static_cast<std::size_t>(count));
    if (peer.learning) return learn(peer, bytes);
    if (bytes.size() > peer.missing) bench::fail("more than was asked for");
    peer.missing -= bytes.size();
    if (peer.missing == 0) answered(peer, options_.depth);
  }

  // The first answer of a connection is read for what it is; the others must be as long.
  void learn(Peer& peer, std::string_view bytes) {
    peer.first += bytes;
    const std::size_t end = peer.first.find("\r\n\r\n");
    if (end == peer.first.npos) return;
    std::size_t length = peer.first.find("Content-Length: ");
    if (length == peer.first.npos) length = peer.first.find("content-length: ");
    if (!peer.first.starts_with("HTTP/1.1 200") || length == peer.first.npos)
      bench::fail("the answer is no 200 with a length");
    length = static_cast<std::size_t>(std::atol(peer.first.c_str() + length + 16));
    if (peer.first.size() < end + 4 + length) return;
    answer_size_ = end + 4 + length;
    peer.learning = false;
    peer.first = std::string();
    peer.missing = 0;
    answered(peer, 1);
  }

  void answered(Peer& peer, int answers) {
    const std::int64_t at = now();
    latencies_.add(at - peer.sent_at);
    answered_ += static_cast<std::uint64_t>(answers);
    --waiting_;
    peer.busy = false;
    if (options_.short_lived) {
      close(peer);
      if (over()) return;
      open(peer);
    }
    if (options_.rate != 0) {
      if (peer.due.empty()) return;
      send(peer, peer.due.front());
      peer.due.pop_front();
    } else if (!options_.lockstep && !options_.idle && !over()) {
      send(peer, at);
    }
  }

  void report(std::int64_t nanoseconds) {
    const double cpu = static_cast<double>(server_cpu() - cpu_before_);
    const double seconds = static_cast<double>(nanoseconds) / 1e9;
    std::printf(
        "{\"answers\": %llu, \"seconds\": %.6f, \"rate\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
        "\"p999_us\": %.2f, \"cpu_us\": %.4f}\n",
        static_cast<unsigned long long>(answered_), seconds, static_cast<double>(answered_) / seconds,
        latencies_.quantile(0.5), latencies_.quantile(0.99), latencies_.quantile(0.999),
        cpu / 1000.0 / static_cast<double>(std::max<std::uint64_t>(answered_, 1)));
    std::fflush(stdout);
    if (options_.idle) {
      while (std::getchar() != EOF) {
      }
    }
  }

  Options options_;
  std::string round_;
  std::size_t answer_size_ = 0;  // of one answer; 0: not known yet
  std::vector<char> received_;
  std::vector<Peer> peers_;
  int epoll_ = -1;
  std::uint64_t answered_ = 0;
  std::size_t waiting_ = 0;  // connections with something in flight
  std::size_t turn_ = 0;
  std::uint64_t varied_ = 0;
  std::int64_t next_due_ = 0;
  std::int64_t began_ = 0;
  std::int64_t ends_ = 0;
  std::int64_t cpu_before_ = 0;
  bool warming_ = false;
  bool time_is_up_ = false;
  Histogram latencies_;
};

bool parse(int argc, char** argv, Options& options) {
  const auto flag = [&](std::string_view name) {
    if (name == "--lockstep") return options.lockstep = true;
    if (name == "--short") return options.short_lived = true;
    if (name == "--idle") return options.idle = true;
    if (name == "--vary") return options.vary = true;
    return false;
  };
  const auto option = [&](std::string_view name, const char* value) {
    if (name == "--echo") {
      options.echo = static_cast<std::size_t>(std::atol(value));
    } else if (name == "--request") {
      options.request = std::string_view(value) == "browser" ? browser : minimal;
    } else if (name == "--connections") {
      options.connections = std::max(1, std::atoi(value));
    } else if (name == "--depth") {
      options.depth = std::max(1, std::atoi(value));
    } else if (name == "--count") {
      options.count = static_cast<std::uint64_t>(std::atoll(value));
    } else if (name == "--seconds") {
      options.seconds = std::atof(value);
    } else if (name == "--warm") {
      options.warm = std::atof(value);
    } else if (name == "--pid") {
      options.pid = std::atoi(value);
    } else if (name == "--rate") {
      options.rate = std::atof(value);
    } else {
      return false;
    }
    return true;
  };
  return bench::read_arguments(argc, argv, options.port, flag, option) &&
         !(options.vary && options.echo != 0);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(usage, stderr);
    return 2;
  }
  bench::allow_many_descriptors();
  Load(options).run();
}
