#include <escapement/io/native/resolve.h>

#include <ares.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <list>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/event.h>
#include <escapement/timers/entry.h>

namespace escapement {

namespace {

int as_system(AddressFamily family) {
  if (family == AddressFamily::any) return AF_UNSPEC;
  return family == AddressFamily::v4 ? AF_INET : AF_INET6;
}

Error failure(int status, const std::string& host) {
  const std::string what = "resolve " + host + ": ";
  switch (status) {
    case ARES_ENOTFOUND: return Error(Errc::not_found, what + "no such host").nothing_sent();
    case ARES_ENODATA: return Error(Errc::not_found, what + "the name has no address").nothing_sent();
    case ARES_EBADNAME: return Error(Errc::not_found, what + "not a valid host name").nothing_sent();
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED: return Error(Errc::cancelled, what + "stopped").nothing_sent();
    case ARES_ENOMEM: return Error::from_errno(ENOMEM, "resolve " + host).nothing_sent();
    default: return Error(Errc::unavailable, what + ares_strerror(status)).nothing_sent();
  }
}

// Returns whether `host` is "localhost" or a name below it: this machine, never looked up in DNS (RFC 6761
// section 6.3).
bool is_localhost(std::string_view host) {
  constexpr std::string_view name = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > name.size() && host[host.size() - name.size() - 1] != '.') return false;
  return ends_ignoring_case(host, name);
}

std::vector<SocketAddress> loopback(AddressFamily family, std::uint16_t port) {
  std::vector<SocketAddress> addresses;
  if (family != AddressFamily::v4) addresses.push_back(*SocketAddress::literal("::1", port));
  if (family != AddressFamily::v6) addresses.push_back(*SocketAddress::literal("127.0.0.1", port));
  return addresses;
}

// A query in c-ares. Outlives the task that asked, because c-ares cannot cancel a single query: once the task
// is destroyed, the reply is dropped when it arrives.
struct Query {
  bool abandoned = false;
  int status = ARES_SUCCESS;
  std::vector<SocketAddress> addresses;
  Event answered;
};

void on_answer(void* argument, int status, int, ares_addrinfo* info) {
  Query* query = static_cast<Query*>(argument);
  if (query->abandoned) {
    delete query;
  } else {
    query->status = status;
    for (ares_addrinfo_node* node = info != nullptr ? info->nodes : nullptr; node != nullptr;
         node = node->ai_next) {
      query->addresses.emplace_back(node->ai_addr, node->ai_addrlen);
    }
    query->answered.set();
  }
  if (info != nullptr) ares_freeaddrinfo(info);
}

// Frees the query, or leaves it to on_answer if the reply has not arrived yet.
struct QueryOwner {
  void operator()(Query* query) const {
    if (query->answered.is_set()) {
      delete query;
    } else {
      query->abandoned = true;
    }
  }
};

}  // namespace

// The c-ares channel, with its sockets in the backend and its timeouts in the timer queue.
class Resolver::Channel final : public Runnable {
 public:
  Channel(FdBackend& backend, Reactor& reactor) : backend_(backend), reactor_(reactor) {}
  Channel(const Channel&) = delete;
  ~Channel() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  Result<> open(const ResolverOptions& options) {
    ares_options settings{};
    settings.timeout = static_cast<int>(options.timeout.count() / 1'000'000);
    settings.tries = options.tries;
    settings.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<Channel*>(self)->socket_state(fd, readable != 0, writable != 0);
    };
    settings.sock_state_cb_data = this;
    int status =
        ares_init_options(&channel_, &settings, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status == ARES_SUCCESS && !options.servers.empty()) {
      status = ares_set_servers_ports_csv(channel_, options.servers.c_str());
    }
    if (status == ARES_ENOMEM) return Error::from_errno(ENOMEM, "resolver");
    if (status != ARES_SUCCESS)
      return Error(Errc::unavailable, std::string("resolver: ") + ares_strerror(status));
    return {};
  }

  void ask(const std::string& host, std::uint16_t port, AddressFamily family, Query* query) {
    ares_addrinfo_hints hints{};
    hints.ai_family = as_system(family);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NUMERICSERV;  // otherwise c-ares reads /etc/services through glibc, which may
                                           // abort without memory
    ares_getaddrinfo(channel_, host.c_str(), std::to_string(port).c_str(), &hints, on_answer, query);
    arm_timer();
  }

  // Called when a timeout of c-ares expires.
  void run() override { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

 private:
  struct Watched;
  struct Readable final : Runnable {
    explicit Readable(Watched& w) : watched(w) {}
    void run() override { watched.channel.on_readable(watched); }
    Watched& watched;
  };
  struct Writable final : Runnable {
    explicit Writable(Watched& w) : watched(w) {}
    void run() override { watched.channel.process(ARES_SOCKET_BAD, watched.watch.fd); }
    Watched& watched;
  };
  struct Watched {
    explicit Watched(Channel& c) : channel(c) {}
    Channel& channel;
    FdWatch watch;
    Readable readable{*this};
    Writable writable{*this};
  };

  void socket_state(ares_socket_t fd, bool readable, bool writable) {
    auto at = sockets_.begin();
    while (at != sockets_.end() && at->watch.fd != fd) ++at;
    if (at == sockets_.end()) {
      if (!readable && !writable) return;
      at = sockets_.emplace(sockets_.end(), *this);
      at->watch.fd = fd;
      if (!backend_.watch(at->watch)) {  // no room: the query runs into its timeout
        sockets_.erase(at);
        return;
      }
    }
    if (!readable && !writable) {
      backend_.unwatch(at->watch);
      sockets_.erase(at);
      return;
    }
    at->watch.readable = readable ? &at->readable : nullptr;
    // If there is no room, the query runs into its timeout.
    at->watch.writable = writable && backend_.watch_writes(at->watch) ? &at->writable : nullptr;
  }

  // The backend reports an edge once, and c-ares may leave bytes of a TCP reply unread: repeat while there
  // are any.
  void on_readable(Watched& watched) {
    const ares_socket_t fd = watched.watch.fd;
    process(fd, ARES_SOCKET_BAD);
    for (Watched& still : sockets_) {
      if (still.watch.fd != fd) continue;
      char byte = 0;
      if (::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        reactor_.ready(still.readable);
      } else {
        still.watch.readable = &still.readable;
      }
      return;
    }
  }

  void process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    arm_timer();
  }

  void arm_timer() {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) return timer_.disarm();
    const Duration length = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
    timer_.arm(reactor_.timers(), reactor_.precise_now() + length + Duration(1ms), *this);
  }

  FdBackend& backend_;
  Reactor& reactor_;
  ares_channel channel_ = nullptr;
  std::list<Watched> sockets_;
  TimerEntry timer_;
};

Resolver::Resolver(FdBackend& backend, Reactor& reactor, ResolverOptions options)
    : backend_(backend), reactor_(reactor), options_(std::move(options)) {}

Resolver::~Resolver() = default;

Result<Resolver::Channel*> Resolver::channel() {
  if (!channel_) {
    auto channel = std::make_unique<Channel>(backend_, reactor_);
    Result<> opened = channel->open(options_);
    if (!opened) return std::move(opened).error();
    channel_ = std::move(channel);
  }
  return channel_.get();
}

Task<std::vector<SocketAddress>> Resolver::resolve(std::string host, std::uint16_t port) {
  std::string_view asked = host;
  for (const ResolverOptions::Override& known : options_.overrides) {
    if (known.port == port && equal_ignoring_case(known.host, host)) asked = known.address;
  }
  if (std::optional<SocketAddress> literal = SocketAddress::literal(asked, port)) {
    const int family = as_system(options_.family);
    if (family != AF_UNSPEC && family != literal->family()) co_return failure(ARES_ENODATA, host);
    co_return std::vector<SocketAddress>{*literal};
  }
  if (is_localhost(asked)) co_return loopback(options_.family, port);
  Channel* channel = co_await this->channel();
  std::unique_ptr<Query, QueryOwner> query(new Query);
  channel->ask(host, port, options_.family, query.get());
  co_await query->answered.wait();
  if (query->status != ARES_SUCCESS) co_return failure(query->status, host);
  if (query->addresses.empty()) co_return failure(ARES_ENODATA, host);
  co_return std::move(query->addresses);
}

}  // namespace escapement
