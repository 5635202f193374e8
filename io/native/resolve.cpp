#include <escapement/io/native/resolve.h>

#include <ares.h>
#include <arpa/nameser.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <list>
#include <span>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/ascii.h>
#include <escapement/core/event.h>
#include <escapement/io/address_selection.h>
#include <escapement/io/fixed_resolver.h>
#include <escapement/io/native/detail/negative_ttl.h>
#include <escapement/io/native/source_address.h>
#include <escapement/timers/entry.h>

namespace escapement {

namespace {

Error failure(int status, const std::string& host) {
  const char* text = ares_strerror(status);
  switch (status) {
    case ARES_ENOTFOUND: return detail::resolve_error(Fault::no_such_host, host);
    case ARES_ENODATA: return detail::resolve_error(Fault::no_address, host);
    case ARES_EBADNAME: return detail::resolve_error(Fault::bad_host_name, host);
    case ARES_EREFUSED: return detail::resolve_error(Fault::dns_refused, host, text);
    case ARES_ESERVFAIL: return detail::resolve_error(Fault::dns_server_failure, host, text);
    case ARES_EFORMERR:
    case ARES_EBADRESP: return detail::resolve_error(Fault::dns_bad_answer, host, text);
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED: return Error(Errc::cancelled, "resolve " + host + ": stopped").nothing_sent();
    case ARES_ENOMEM: return Error::from_errno(ENOMEM, "resolve " + host).nothing_sent();
    default: return detail::resolve_error(Fault::dns_no_answer, host, text);
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

std::vector<SocketAddress> loopback() {
  return {*SocketAddress::literal("::1", 0), *SocketAddress::literal("127.0.0.1", 0)};
}

// A query in c-ares. Outlives the task that asked, because c-ares cannot cancel a single query: once the task
// is destroyed, the reply is dropped when it arrives.
struct Query {
  AddressFamily family = AddressFamily::v4;
  bool abandoned = false;
  int status = ARES_SUCCESS;
  Resolved found;
  std::optional<Duration> negative_ttl;
  Event answered;
};

constexpr int addresses_max = 256;  // of one name

void add_address(Resolved& found, const ares_addrttl& from) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = from.ipaddr;
  found.addresses.emplace_back(reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address});
}

void add_address(Resolved& found, const ares_addr6ttl& from) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::memcpy(&address.sin6_addr, &from.ip6addr, sizeof address.sin6_addr);
  found.addresses.emplace_back(reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address});
}

// Reads the addresses of a reply, and the least TTL of its records, those of aliases included.
template <class Record, class Parse>
int read_addresses(Parse parse, const unsigned char* reply, int length, Resolved& found) {
  std::vector<Record> records(addresses_max);
  int count = addresses_max;
  const int status = parse(reply, length, nullptr, records.data(), &count);
  if (status != ARES_SUCCESS) return status;
  int seconds = INT32_MAX;
  for (const Record& record : std::span(records).first(static_cast<std::size_t>(count))) {
    add_address(found, record);
    seconds = std::min(seconds, record.ttl);
  }
  found.ttl = std::chrono::seconds(std::max(seconds, 0));
  return count == 0 ? ARES_ENODATA : ARES_SUCCESS;
}

void on_answer(void* argument, int status, int, unsigned char* reply, int length) {
  Query* query = static_cast<Query*>(argument);
  if (query->abandoned) {
    delete query;
    return;
  }
  if (status == ARES_SUCCESS && query->family == AddressFamily::v4)
    status = read_addresses<ares_addrttl>(ares_parse_a_reply, reply, length, query->found);
  else if (status == ARES_SUCCESS)
    status = read_addresses<ares_addr6ttl>(ares_parse_aaaa_reply, reply, length, query->found);
  if ((status == ARES_ENODATA || status == ARES_ENOTFOUND) && reply != nullptr) {
    query->negative_ttl = detail::negative_ttl(
        std::string_view(reinterpret_cast<const char*>(reply), static_cast<std::size_t>(length)));
  }
  query->status = status;
  query->answered.set();
}

// Returns whether `host` is in ".onion", which is never asked of DNS (RFC 7686 section 2).
bool is_onion(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return ends_ignoring_case(host, ".onion");
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
class DnsResolver::Channel final : public Runnable {
 public:
  Channel(FdBackend& backend, Reactor& reactor) : backend_(backend), reactor_(reactor) {}
  Channel(const Channel&) = delete;
  ~Channel() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  Result<> open(const ResolverOptions& options, int flags) {
    ares_options settings{};
    settings.timeout = static_cast<int>(options.timeout.count() / 1'000'000);
    settings.tries = options.tries;
    settings.flags = flags;
    settings.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<Channel*>(self)->socket_state(fd, readable != 0, writable != 0);
    };
    settings.sock_state_cb_data = this;
    char dns_alone[] = "b";  // the hosts file is ours
    settings.lookups = dns_alone;
    int status = ares_init_options(
        &channel_, &settings,
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS);
    if (status != ARES_SUCCESS) return not_opened(status, Errc::unavailable, "resolver");
    read_search_list();
    if (options.servers.empty()) return {};
    status = ares_set_servers_ports_csv(channel_, options.servers.c_str());
    if (status != ARES_SUCCESS) {
      return not_opened(status, Errc::invalid_argument, "ResolverOptions::servers: " + options.servers);
    }
    return {};
  }

  void ask(const std::string& name, AddressFamily family, Query* query) {
    query->family = family;
    const int type = family == AddressFamily::v4 ? ns_t_a : ns_t_aaaa;
    ares_query(channel_, name.c_str(), ns_c_in, type, on_answer, query);
    arm_timer();
  }

  // Returns the names that stand for `host` by the search list of /etc/resolv.conf: resolv.conf(5).
  std::vector<std::string> names_of(const std::string& host) const {
    std::vector<std::string> names;
    if (!host.ends_with('.')) {
      for (const std::string& domain : domains_) names.push_back(host + '.' + domain);
    }
    const bool first = std::ranges::count(host, '.') >= dots_;
    names.insert(first ? names.begin() : names.end(), host);
    return names;
  }

  // Called when a timeout of c-ares expires.
  void run() override { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

 private:
  static Error not_opened(int status, Errc kind, const std::string& what) {
    if (status == ARES_ENOMEM) return Error::from_errno(ENOMEM, what).nothing_sent();
    return Error(kind, what + ": " + ares_strerror(status)).nothing_sent();
  }

  void read_search_list() {
    ares_options read{};
    int mask = 0;
    if (ares_save_options(channel_, &read, &mask) != ARES_SUCCESS) return;
    dots_ = std::max(read.ndots, 0);
    for (int i = 0; i < read.ndomains; ++i) domains_.emplace_back(read.domains[i]);
    ares_destroy_options(&read);
  }

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
  int dots_ = 1;                      // a name with so many is asked for as it is first
  std::vector<std::string> domains_;  // the search list
  std::list<Watched> sockets_;
  TimerEntry timer_;
};

// The servers, asked by c-ares.
class DnsResolver::Servers final : public Resolver {
 public:
  Servers(FdBackend& backend, Reactor& reactor, const ResolverOptions& options)
      : backend_(backend), reactor_(reactor), options_(options) {}

  Task<Resolved> lookup(std::string host, std::uint16_t port, AddressFamily family) override {
    ResolverAnswer outcome = co_await answer(std::move(host), port, family);
    co_return std::move(outcome.found);
  }

  // c-ares goes on to the next server when one fails or refuses, and forgets why. So the first server is
  // asked for its answer whatever it is, and if it is no answer, all are.
  Task<ResolverAnswer> answer(std::string host, std::uint16_t, AddressFamily family) override {
    if (is_onion(host)) co_return ResolverAnswer(detail::resolve_error(Fault::no_such_host, host));
    ResolverAnswer first = co_await search(exact_, ARES_FLAG_NOCHECKRESP, host, family);
    if (first.found || !is_servers_fault(first.found.error().fault())) co_return std::move(first);
    ResolverAnswer second = co_await search(patient_, 0, host, family);
    if (second.found || second.found.error().fault() != Fault::dns_no_answer) co_return std::move(second);
    co_return std::move(first);
  }

 private:
  static bool is_servers_fault(Fault fault) {
    return fault == Fault::dns_refused || fault == Fault::dns_server_failure;
  }

  // Asks for the names of `host` one by one, until there is one. What is not there may be remembered as long
  // as the one that may be for the shortest time.
  Task<ResolverAnswer> search(std::unique_ptr<Channel>& by, int flags, std::string host,
                              AddressFamily family) {
    Result<Channel*> channel = made(by, flags);
    if (!channel) co_return ResolverAnswer(std::move(channel).error());
    Result<Resolved> worst = detail::resolve_error(Fault::no_such_host, host);
    std::optional<Duration> shortest = Duration::max();
    const std::vector<std::string> names = (*channel)->names_of(host);
    for (const std::string& name : names) {
      std::unique_ptr<Query, QueryOwner> query(new Query);
      (*channel)->ask(name, family, query.get());
      co_await query->answered.wait();
      if (query->status == ARES_SUCCESS) {
        sort_addresses(query->found.addresses, source_address);
        co_return ResolverAnswer(std::move(query->found));
      }
      Error missing = failure(query->status, host);
      if (missing != Errc::not_found) co_return ResolverAnswer(std::move(missing));
      const bool malformed = missing.fault() == Fault::bad_host_name;
      if (missing.fault() != Fault::no_such_host) worst = std::move(missing);
      if (malformed) break;
      shortest = shortest && query->negative_ttl ? std::optional(std::min(*shortest, *query->negative_ttl))
                                                 : std::nullopt;
    }
    co_return ResolverAnswer(std::move(worst), shortest == Duration::max() ? std::nullopt : shortest);
  }

  Result<Channel*> made(std::unique_ptr<Channel>& by, int flags) {
    if (!by) {
      auto channel = std::make_unique<Channel>(backend_, reactor_);
      Result<> opened = channel->open(options_, flags);
      if (!opened) return std::move(opened).error();
      by = std::move(channel);
    }
    return by.get();
  }

  FdBackend& backend_;
  Reactor& reactor_;
  const ResolverOptions& options_;
  std::unique_ptr<Channel> exact_;    // made at the first name
  std::unique_ptr<Channel> patient_;  // made when a server fails
};

// The hosts file, read again when it has changed. A file that cannot be read has no names.
class DnsResolver::HostsFile {
 public:
  explicit HostsFile(std::string file) : file_(std::move(file)) {}

  const HostsTable& table() {
    struct stat now{};
    if (file_.empty() || ::stat(file_.c_str(), &now) != 0) {
      table_ = HostsTable();
      seen_ = {};
    } else if (now.st_mtim.tv_sec != seen_.st_mtim.tv_sec || now.st_mtim.tv_nsec != seen_.st_mtim.tv_nsec ||
               now.st_size != seen_.st_size || now.st_ino != seen_.st_ino) {
      table_ = HostsTable::parse(text());
      seen_ = now;
    }
    return table_;
  }

 private:
  static constexpr std::size_t bytes_max = 16 * MiB;

  std::string text() const {
    std::string text;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(std::fopen(file_.c_str(), "rbe"),
                                                                 &std::fclose);
    char piece[4 * KiB];
    while (opened && text.size() < bytes_max) {
      const std::size_t count = std::fread(piece, 1, sizeof piece, opened.get());
      if (count == 0) break;
      text.append(piece, count);
    }
    return text;
  }

  std::string file_;
  struct stat seen_{};
  HostsTable table_;
};

DnsResolver::DnsResolver(FdBackend& backend, Reactor& reactor, ResolverOptions options)
    : options_(std::move(options)),
      hosts_(std::make_unique<HostsFile>(options_.hosts_file)),
      servers_(std::make_unique<Servers>(backend, reactor, options_)),
      cache_(reactor, *servers_, options_.cache) {}

DnsResolver::~DnsResolver() = default;

// Returns the addresses of `overrides` for a name and a port.
Result<std::vector<SocketAddress>> DnsResolver::overridden(std::string_view name, std::uint16_t port) const {
  std::vector<SocketAddress> addresses;
  for (const ResolverOptions::Override& known : options_.overrides) {
    if (known.port != port || !equal_ignoring_case(known.host, name)) continue;
    const std::optional<SocketAddress> literal = SocketAddress::literal(known.address, port);
    if (!literal)
      return Error(Errc::invalid_argument, known.address + " is no literal address").nothing_sent();
    addresses.push_back(*literal);
  }
  return addresses;
}

std::optional<Result<Resolved>> DnsResolver::without_servers(const std::string& host, std::uint16_t port,
                                                             AddressFamily family) {
  if (options_.family != AddressFamily::any && options_.family != family)
    return detail::resolve_error(Fault::no_address, host);
  for (const std::string_view name : {std::string_view(host), std::string_view("*")}) {
    Result<std::vector<SocketAddress>> fixed = overridden(name, port);
    if (!fixed) return std::move(fixed).error();
    if (!fixed->empty()) return detail::of_family(*fixed, port, family, host);
  }
  std::optional<Result<Resolved>> literal = detail::literal_answer(host, port, family);
  if (literal) return literal;
  if (is_localhost(host)) return detail::of_family(loopback(), port, family, host);
  const std::vector<SocketAddress>* fixed = hosts_->table().find(host);
  if (fixed != nullptr) return detail::of_family(*fixed, port, family, host);
  return std::nullopt;
}

Task<Resolved> DnsResolver::lookup(std::string host, std::uint16_t port, AddressFamily family) {
  std::optional<Result<Resolved>> known = without_servers(host, port, family);
  if (known) co_return *std::move(known);
  co_return co_await cache_.lookup(std::move(host), port, family);
}

}  // namespace escapement
