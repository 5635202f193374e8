#include <escapement/io/happy_eyeballs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <vector>

#include <escapement/core/detail/until_one_is_ready.h>
#include <escapement/timers/entry.h>
#include <escapement/timers/timeout.h>

namespace escapement {

namespace detail {

namespace {

using Connected = std::unique_ptr<Stream>;
using RaceResult = std::optional<Result<Connected>>;

constexpr Duration attempt_delay_min = 10ms;  // RFC 8305 section 5: MUST NOT be less

// Returns whether this machine has no way to the whole family of an address, such as IPv6: another attempt
// says more about the host.
bool is_of_this_machine(const Error& error) {
  const int number = error.os_number();
  return number == ENETUNREACH || number == EADDRNOTAVAIL || number == EAFNOSUPPORT;
}

// The look-up of one family, and its addresses that have not been tried.
struct Family {
  std::optional<ChildTask<Resolved>> lookup;
  std::deque<SocketAddress> left;
  std::optional<Error> failure;

  bool answered() const { return !lookup; }
  // Returns whether addresses have come.
  bool take(const std::string& host) {
    if (!lookup || !lookup->finished()) return false;
    Result<Resolved> outcome = lookup->take();
    lookup.reset();
    if (!outcome) {
      failure = std::move(outcome).error();
    } else if (outcome->addresses.empty()) {  // a resolver should not say it like this
      failure = resolve_error(Fault::no_address, host);
    } else {
      left.assign(outcome->addresses.begin(), outcome->addresses.end());
    }
    return !left.empty();
  }
};

// One connection's look-ups, attempts and timers, which wake the task.
class Race {
 public:
  Race(PromiseBase& task, ConnectToAddress connect, const HappyEyeballsOptions& options)
      : task_(task), connect_(std::move(connect)), options_(options) {}

  void begin(Resolver& resolver, std::string host, std::uint16_t port, Duration limit);
  // Does what is due. Returns the outcome once there is one; then nothing runs any more.
  RaceResult step();

  friend void visit_children(const Race& race, TaskVisitor& visitor) {
    for (const Family& family : race.families_) visit_children(family.lookup, visitor);
    visit_children(race.attempts_, visitor);
  }

 private:
  enum { v6, v4 };

  Reactor& reactor() { return task_.reactor(); }
  void arm(TimerEntry& timer, Duration length) {
    const Instant at = length == Duration::max() ? Instant::never() : began_ + length;
    if (at != Instant::never()) timer.arm(reactor().timers(), at, task_);
  }
  static bool expired(const TimerEntry& timer, Duration length) {
    return length != Duration::max() && !timer.armed();
  }

  void sort_left();
  void give_up_look_ups();
  bool may_begin();
  std::optional<SocketAddress> next_address();
  void attempt(SocketAddress address);
  RaceResult take_attempts();
  RaceResult failed();
  RaceResult too_late();
  RaceResult ends(Result<Connected> outcome) {
    attempts_.clear();
    for (Family& family : families_) family.lookup.reset();
    return outcome;
  }
  std::string peer() const;

  PromiseBase& task_;
  ConnectToAddress connect_;
  HappyEyeballsOptions options_;
  std::string host_;
  std::uint16_t port_ = 0;
  Duration limit_;
  Duration resolve_limit_;
  Instant began_;
  std::array<Family, 2> families_;
  std::deque<ChildTask<Connected>> attempts_;
  std::size_t attempts_begun_ = 0;
  int first_family_ = v6;
  int last_family_ = v4;
  bool one_family_so_far_ = true;
  std::string first_address_;
  std::optional<Error> failure_;  // of the first attempt that failed
  bool delayed_ = false;
  TimerEntry resolution_delay_;
  TimerEntry next_attempt_;
  TimerEntry resolve_timer_;
  TimerEntry limit_timer_;
};

void Race::begin(Resolver& resolver, std::string host, std::uint16_t port, Duration limit) {
  began_ = reactor().precise_now();
  host_ = std::move(host);
  port_ = port;
  limit_ = std::max(limit, Duration());
  resolve_limit_ = std::min(limit_, options_.resolve_timeout);
  const std::optional<SocketAddress> literal = SocketAddress::literal(host_, port);
  constexpr AddressFamily kinds[] = {AddressFamily::v6, AddressFamily::v4};
  constexpr int systems[] = {AF_INET6, AF_INET};
  for (const int which : {v6, v4}) {
    if (literal && literal->family() != systems[which]) continue;
    Family& family = families_[static_cast<std::size_t>(which)];
    family.lookup.emplace(resolver.lookup(host_, port, kinds[which]));
    family.lookup->start(reactor(), task_);
  }
  arm(resolve_timer_, resolve_limit_);
  arm(limit_timer_, limit_);
}

RaceResult Race::step() {
  bool more = false;
  for (Family& family : families_) more = family.take(host_) || more;
  if (more) sort_left();
  for (;;) {
    RaceResult outcome = take_attempts();
    if (outcome) return ends(*std::move(outcome));
    if (expired(resolve_timer_, resolve_limit_)) give_up_look_ups();
    if (next_attempt_.armed() || !may_begin()) break;
    const std::optional<SocketAddress> address = next_address();
    if (!address) break;
    attempt(*address);
  }
  const bool looking = !families_[v6].answered() || !families_[v4].answered();
  const bool left = !families_[v6].left.empty() || !families_[v4].left.empty();
  if (attempts_.empty() && !looking && !left) return failed();
  if (expired(limit_timer_, limit_) && attempts_begun_ != 0) return too_late();
  return std::nullopt;
}

// Sorts the addresses that have not been tried.
void Race::sort_left() {
  std::vector<SocketAddress> all;
  for (const Family& family : families_) all.insert(all.end(), family.left.begin(), family.left.end());
  if (all.size() < 2 || !options_.source_address) return;
  sort_addresses(all, options_.source_address);
  for (Family& family : families_) family.left.clear();
  for (const SocketAddress& address : all)
    families_[address.family() == AF_INET6 ? v6 : v4].left.push_back(address);
  if (attempts_begun_ == 0) first_family_ = all.front().family() == AF_INET6 ? v6 : v4;
}

void Race::give_up_look_ups() {
  for (Family& family : families_) {
    if (family.answered()) continue;
    family.lookup.reset();
    Error late =
        timeout_error({TimeLimit::resolve, "no answer"}, resolve_limit_, reactor().precise_now() - began_);
    family.failure = std::move(late).context("resolve " + host_).with_peer(host_).nothing_sent();
  }
}

// Decides whether attempts may begin: RFC 8305 section 3.
bool Race::may_begin() {
  if (attempts_begun_ != 0 || families_[v6].answered() || !families_[v6].left.empty()) return true;
  if (families_[v4].left.empty()) return false;
  if (!delayed_) {
    delayed_ = true;
    resolution_delay_.arm(reactor().timers(), reactor().precise_now() + options_.resolution_delay, task_);
  }
  return !resolution_delay_.armed();
}

// Takes the next address: the families take turns, after the first few of the first (RFC 8305 section 4).
std::optional<SocketAddress> Race::next_address() {
  int which = last_family_ == v6 ? v4 : v6;
  const std::size_t first = std::max<std::size_t>(1, options_.first_family_count);
  if (attempts_begun_ == 0) which = first_family_;
  if (attempts_begun_ != 0 && one_family_so_far_ && last_family_ == first_family_ && attempts_begun_ < first)
    which = first_family_;
  if (families_[static_cast<std::size_t>(which)].left.empty()) which = which == v6 ? v4 : v6;
  std::deque<SocketAddress>& from = families_[static_cast<std::size_t>(which)].left;
  if (from.empty()) return std::nullopt;
  if (attempts_begun_ != 0 && which != last_family_) one_family_so_far_ = false;
  last_family_ = which;
  const SocketAddress address = from.front();
  from.pop_front();
  return address;
}

void Race::attempt(SocketAddress address) {
  if (attempts_begun_++ == 0) first_address_ = address.text();
  const Duration delay = std::max(options_.attempt_delay, attempt_delay_min);
  next_attempt_.arm(reactor().timers(), reactor().precise_now() + delay, task_);
  attempts_.emplace_back(connect_(address)).start(reactor(), task_);
}

RaceResult Race::take_attempts() {
  for (auto attempt = attempts_.begin(); attempt != attempts_.end();) {
    if (!attempt->finished()) {
      ++attempt;
      continue;
    }
    Result<Connected> outcome = attempt->take();
    attempt = attempts_.erase(attempt);
    if (outcome) return outcome;
    if (!failure_ || is_of_this_machine(*failure_)) failure_ = std::move(outcome).error();
    next_attempt_.disarm();
  }
  return std::nullopt;
}

RaceResult Race::failed() {
  if (failure_) return ends(*std::move(failure_));
  std::optional<Error>& six = families_[v6].failure;
  std::optional<Error>& four = families_[v4].failure;
  if (!six) return ends(*std::move(four));
  if (!four) return ends(*std::move(six));
  return ends(worse_of(*std::move(six), *std::move(four)));
}

RaceResult Race::too_late() {
  const std::string whom = peer();
  Error late = timeout_error({TimeLimit::connect, "no connection"}, limit_, reactor().precise_now() - began_);
  return ends(std::move(late).context("connect to " + whom).with_peer(whom).nothing_sent());
}

// Returns "10.0.0.1:443", or for several addresses "a.test:443 (10.0.0.1:443 and 2 more)".
std::string Race::peer() const {
  const std::size_t more = attempts_begun_ - 1 + families_[v6].left.size() + families_[v4].left.size();
  if (more == 0) return first_address_;
  return host_ + ':' + std::to_string(port_) + " (" + first_address_ + " and " + std::to_string(more) +
         " more)";
}

}  // namespace

}  // namespace detail

Task<std::unique_ptr<Stream>> connect_by_happy_eyeballs(Resolver& resolver, ConnectToAddress connect,
                                                        std::string host, std::uint16_t port, Duration limit,
                                                        HappyEyeballsOptions options) {
  detail::PromiseBase& self = co_await detail::this_task;
  detail::Race race(self, std::move(connect), options);
  race.begin(resolver, std::move(host), port, limit);
  for (;;) {
    detail::RaceResult outcome = race.step();
    if (outcome) co_return *std::move(outcome);
    co_await detail::until_one_is_ready(race);
  }
}

Task<std::unique_ptr<Stream>> ResolvingNetwork::connect(std::string host, std::uint16_t port) {
  return connect_within(Duration::max(), std::move(host), port);
}

Task<std::unique_ptr<Stream>> ResolvingNetwork::connect_within(Duration limit, std::string host,
                                                               std::uint16_t port) {
  const auto connect = [network = &network_](SocketAddress address) {
    return network->connect(address.host_text(), address.port());
  };
  return connect_by_happy_eyeballs(resolver_, connect, std::move(host), port, limit, options_);
}

Result<std::unique_ptr<Listener>> ResolvingNetwork::listen(std::string_view address) {
  return network_.listen(address);
}

}  // namespace escapement
