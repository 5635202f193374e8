// The load over TLS: a closed loop by OpenSSL, several times quicker than what it measures. `--help` says how
// to use it. Prints one line of JSON.

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../arguments.h"
#include "../sockets.h"

namespace {

constexpr const char* usage =
    "bench_tls_load PORT [--new | --resume] [--tls12] [--connections N] [--seconds S] [--warm S] [--pid N]\n"
    "               [--ciphers LIST] [--idle]\n\n"
    "  --new         every request on a connection of its own, after a full handshake\n"
    "  --resume      the same, resumed by the ticket of an earlier connection\n"
    "  --tls12       no TLS 1.3\n"
    "  --ciphers L   of TLS 1.3, in OpenSSL's spelling\n"
    "  --warm S      does not count the first S seconds, nor before every connection has had an answer\n"
    "  --pid N       also says how much CPU that process took for each answer and each MiB\n"
    "  --idle        one request on each connection, then waits for the end of standard input\n";

constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Options {
  std::uint16_t port = 0;
  bool fresh = false;
  bool resume = false;
  bool tls12 = false;
  bool idle = false;
  const char* ciphers = nullptr;
  int connections = 64;
  double seconds = 1;
  double warm = 0;
  int pid = 0;
};

[[noreturn]] void fail(const char* what) {
  char text[256];
  ERR_error_string_n(ERR_peek_error(), text, sizeof text);
  std::fprintf(stderr, "bench: %s: %s\n", what, text);
  std::exit(1);
}

SSL_SESSION* ticket = nullptr;  // the newest

int keep_ticket(SSL*, SSL_SESSION* session) {
  if (ticket != nullptr) SSL_SESSION_free(ticket);
  ticket = session;
  return 1;
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), context_(SSL_CTX_new(TLS_client_method())), room_(256 * 1024) {
    if (options.tls12) SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION);
    if (options.ciphers != nullptr && SSL_CTX_set_ciphersuites(context_, options.ciphers) != 1)
      fail("--ciphers");
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, keep_ticket);
    SSL_CTX_set_read_ahead(context_, 1);
    SSL_CTX_set_default_read_buffer_len(context_, 128 * 1024);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    peers_.resize(static_cast<std::size_t>(options.connections));
  }

  void run() {
    begin(bench::now() + static_cast<std::int64_t>(options_.warm * 1e9));
    for (Peer& peer : peers_) open(peer);  // which may see an answer already
    std::vector<epoll_event> events(256);
    bool warming = true;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      const std::int64_t at = bench::now();
      if (warming && !options_.idle && at >= began_ && established_ >= peers_.size()) {
        warming = false;
        begin(at);
      }
      if (options_.idle ? answers_ == peers_.size() : !warming && at >= ends_) break;
      for (int i = 0; i < count; ++i) go_on(*static_cast<Peer*>(events[i].data.ptr));
    }
    report(bench::now() - began_);
  }

 private:
  struct Peer {
    int fd = -1;
    SSL* ssl = nullptr;
    bool asked = false;
    bool established = false;  // has had an answer
    std::string head;
    std::size_t left = 0;  // of the body
  };

  void begin(std::int64_t at) {
    began_ = at;
    ends_ = at + static_cast<std::int64_t>(options_.seconds * 1e9);
    answers_ = resumed_ = bytes_ = 0;
    cpu_before_ = options_.pid == 0 ? 0 : bench::cpu_of(options_.pid);
  }

  void open(Peer& peer) {
    peer = Peer();
    peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer.fd < 0) bench::fail("socket");
    bench::set_option(peer.fd, IPPROTO_TCP, TCP_NODELAY);
    const linger at_once{1, 0};  // a reset at the end: no TIME_WAIT, so that ports do not run out
    ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const sockaddr_in address = bench::local_address(options_.port);
    if (::connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      bench::fail("connect");
    if (::fcntl(peer.fd, F_SETFL, O_NONBLOCK) != 0) bench::fail("fcntl");
    peer.ssl = SSL_new(context_);
    SSL_set_fd(peer.ssl, peer.fd);
    SSL_set_connect_state(peer.ssl);
    SSL_set_tlsext_host_name(peer.ssl, "localhost");
    SSL_set_alpn_protos(peer.ssl, reinterpret_cast<const unsigned char*>("\x08http/1.1"), 9);
    if (options_.resume && ticket != nullptr) SSL_set_session(peer.ssl, ticket);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = &peer;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event);
    go_on(peer);
  }

  void close(Peer& peer) {
    SSL_set_quiet_shutdown(peer.ssl, 1);
    SSL_shutdown(peer.ssl);  // else its ticket counts as spoilt
    SSL_free(peer.ssl);
    ::close(peer.fd);
  }

  void go_on(Peer& peer) {
    if (!peer.asked) {
      const int outcome = SSL_do_handshake(peer.ssl);
      if (outcome != 1) {
        if (SSL_get_error(peer.ssl, outcome) != SSL_ERROR_WANT_READ) fail("handshake");
        return;
      }
      ask(peer);
    }
    for (;;) {
      const int count = SSL_read(peer.ssl, room_.data(), static_cast<int>(room_.size()));
      if (count <= 0) {
        if (SSL_get_error(peer.ssl, count) != SSL_ERROR_WANT_READ) fail("read");
        return;
      }
      bytes_ += static_cast<std::uint64_t>(count);
      if (!take(peer, std::string_view(room_.data(), static_cast<std::size_t>(count)))) continue;
      answered(peer);
      if (options_.fresh || options_.resume || options_.idle) return;
    }
  }

  void ask(Peer& peer) {
    peer.asked = true;
    if (SSL_write(peer.ssl, request.data(), static_cast<int>(request.size())) <= 0) fail("write");
  }

  // True when the answer is complete; nothing comes after it that was not asked for.
  bool take(Peer& peer, std::string_view bytes) {
    if (peer.left == 0) {
      peer.head += bytes;
      const std::size_t end = peer.head.find("\r\n\r\n");
      if (end == peer.head.npos) return false;
      const std::size_t length = peer.head.find("Content-Length: ");
      if (!peer.head.starts_with("HTTP/1.1 200") || length == peer.head.npos)
        fail("the answer is no 200 with a length");
      peer.left = static_cast<std::size_t>(std::atoll(peer.head.c_str() + length + 16));
      bytes = bytes.substr(bytes.size() - (peer.head.size() - end - 4));
      peer.head.clear();
    }
    if (bytes.size() > peer.left) fail("more than was asked for");
    peer.left -= bytes.size();
    return peer.left == 0;
  }

  void answered(Peer& peer) {
    ++answers_;
    if (!std::exchange(peer.established, true)) ++established_;
    if (SSL_session_reused(peer.ssl)) ++resumed_;
    if (version_.empty()) {
      version_ = SSL_get_version(peer.ssl);
      cipher_ = SSL_get_cipher_name(peer.ssl);
    }
    if (options_.idle) return;
    if (!options_.fresh && !options_.resume) return ask(peer);
    close(peer);
    open(peer);
  }

  void report(std::int64_t nanoseconds) {
    const double cpu =
        options_.pid == 0 ? 0 : static_cast<double>(bench::cpu_of(options_.pid) - cpu_before_) / 1000.0;
    const double seconds = static_cast<double>(nanoseconds) / 1e9;
    const double mebibytes = static_cast<double>(bytes_) / 1024 / 1024;
    const double answers = static_cast<double>(answers_);
    std::printf(
        "{\"answers\": %.0f, \"rate\": %.1f, \"mib_rate\": %.1f, \"cpu_us\": %.4f, \"cpu_us_mib\": %.2f, "
        "\"resumed\": %llu, \"version\": \"%s\", \"cipher\": \"%s\"}\n",
        answers, answers / seconds, mebibytes / seconds, cpu / std::max(answers, 1.0),
        cpu / std::max(mebibytes, 1e-6), static_cast<unsigned long long>(resumed_), version_.c_str(),
        cipher_.c_str());
    std::fflush(stdout);
    if (!options_.idle) return;
    while (std::getchar() != EOF) {
    }
  }

  Options options_;
  SSL_CTX* context_;
  std::vector<char> room_;
  std::vector<Peer> peers_;
  int epoll_ = -1;
  std::int64_t began_ = 0, ends_ = 0, cpu_before_ = 0;
  std::uint64_t answers_ = 0, resumed_ = 0, bytes_ = 0;
  std::uint64_t established_ = 0;
  std::string version_, cipher_;
};

bool parse(int argc, char** argv, Options& options) {
  const auto flag = [&](std::string_view name) {
    if (name == "--new") return options.fresh = true;
    if (name == "--resume") return options.resume = true;
    if (name == "--tls12") return options.tls12 = true;
    if (name == "--idle") return options.idle = true;
    return false;
  };
  const auto option = [&](std::string_view name, const char* value) {
    if (name == "--ciphers") {
      options.ciphers = value;
    } else if (name == "--connections") {
      options.connections = std::max(1, std::atoi(value));
    } else if (name == "--seconds") {
      options.seconds = std::atof(value);
    } else if (name == "--warm") {
      options.warm = std::atof(value);
    } else if (name == "--pid") {
      options.pid = std::atoi(value);
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
  ::signal(SIGPIPE, SIG_IGN);
  Load(options).run();
}
