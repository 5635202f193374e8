// SimResolver: a Resolver for simulations, whose answers take their time and may fail.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/io/resolver.h>

namespace escapement {

// The answer to a question for one family of a name.
struct SimAnswer {
  SimAnswer(std::vector<std::string> a = {}, Duration d = Duration(), Duration t = 60s)
      : addresses(std::move(a)), delay(d), ttl(t) {}
  std::vector<std::string> addresses;  // literal ones; none: the name has no such address
  Duration delay;                      // the time that the answer takes; Duration::max(): it never comes
  Duration ttl;                        // how long it may be kept
  Fault fault = Fault::none;           // fails instead, after the delay
  // The time for which it may be remembered that there is no address, or no such name; nullopt: not said.
  std::optional<Duration> negative_ttl;
};

// A name that is not there, or of which only the other family is there, is answered at once: no_such_host,
// no_address. Literal addresses are their own. Must outlive the tasks it returns.
class SimResolver final : public Resolver {
 public:
  // Replaces the answer for a name and a family, v4 or v6. The addresses must be literal (checked).
  void set(std::string_view host, AddressFamily family, SimAnswer answer);
  // Makes it forget a name.
  void remove(std::string_view host);
  // Returns the number of questions for names so far.
  std::uint64_t questions() const { return questions_; }

  Task<Resolved> lookup(std::string host, std::uint16_t port, AddressFamily family) override;
  Task<ResolverAnswer> answer(std::string host, std::uint16_t port, AddressFamily family) override;

 private:
  std::map<std::pair<std::string, AddressFamily>, SimAnswer> answers_;  // names in lower case
  std::uint64_t questions_ = 0;
};

}  // namespace escapement
