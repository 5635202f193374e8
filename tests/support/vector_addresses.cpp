// Plays vectors of Happy Eyeballs: the answers of a resolver, and what becomes of the attempts to connect.

#include <map>

#include <escapement/core/detail/check.h>
#include <escapement/io/happy_eyeballs.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/resolver.h>
#include <escapement/timers/sleep.h>

#include "support/vector_parts.h"

namespace escapement::test {

namespace {

// "6a" stands for an IPv6 address, "4a" for an IPv4 one.
std::string address_of(const std::string& label) {
  return (label.starts_with('6') ? "2001:db8::" : "192.0.2.") + std::to_string(label[1] - 'a' + 1);
}
std::string label_of(const std::string& address) {
  const bool v6 = address.find("2001:db8::") != address.npos;
  const std::size_t at = v6 ? address.find("::") + 2 : address.find("192.0.2.") + 8;
  return (v6 ? "6" : "4") + std::string(1, static_cast<char>('a' + address[at] - '1'));
}

// "AAAA 0 6a 6b; A 50 4a; 6a hang; 4a refused 20; 6b ok 10": answers, and attempts.
class Addresses {
 public:
  Addresses(Sim& sim, std::string_view text) : sim_(sim) {
    for (const std::string& part : split(text, ';')) {
      std::string_view rest = part;
      const std::string first = word(rest);
      if (first == "A" || first == "AAAA") {
        SimAnswer answer({}, length_of(word(rest)));
        while (!rest.empty()) answer.addresses.push_back(address_of(word(rest)));
        resolver.set("h", first == "A" ? AddressFamily::v4 : AddressFamily::v6, std::move(answer));
      } else {
        attempts_[first] = std::string(rest);
      }
    }
  }

  Task<std::unique_ptr<Stream>> connect(SocketAddress address) {
    const std::string label = label_of(address.text());
    seen.emplace_back(sim_.elapsed().milliseconds(), label);
    std::string_view fate = attempts_[label];
    const std::string verb = word(fate);
    Duration delay = Duration::max();
    if (verb != "hang") delay = length_of(word(fate));
    co_await sleep(delay);
    if (verb == "refused") co_return Error(Errc::unavailable, "connection refused").nothing_sent();
    ESC_CHECK(verb == "ok", "an attempt is ok, refused or hang");
    winner = label;
    co_return pipe().first;
  }

  SimResolver resolver;
  std::vector<Seen> seen;
  std::string winner;

 private:
  Sim& sim_;
  std::map<std::string, std::string> attempts_;
};

}  // namespace

std::string play_addresses(const Vector& vector, std::string_view settings) {
  Sim sim;
  Addresses addresses(sim, vector.peer);
  HappyEyeballsOptions options;
  Duration limit = 10s;
  while (!settings.empty()) {
    const std::string setting = word(settings);
    const std::size_t equals = setting.find('=');
    const Duration length = length_of(std::string_view(setting).substr(equals + 1));
    if (setting.starts_with("attempt_delay")) options.attempt_delay = length;
    if (setting.starts_with("resolve_timeout")) options.resolve_timeout = length;
    if (setting.starts_with("connect_timeout")) limit = length;
  }
  const auto connect = [&addresses](SocketAddress address) { return addresses.connect(std::move(address)); };
  Result<std::unique_ptr<Stream>> stream =
      sim.run(connect_by_happy_eyeballs(addresses.resolver, connect, "h", 80, limit, options));
  Outcome outcome;
  outcome.told = stream ? addresses.winner : std::string(name(stream.error().code()));
  if (!stream) outcome.limit = name(stream.error().limit());
  if (!stream) outcome.message = stream.error().message();
  outcome.at = sim.elapsed().milliseconds();
  return compare_all(vector.expected, addresses.seen, {outcome});
}

}  // namespace escapement::test
