// Names, against a scripted DNS server on loopback (support/dns_server.h), on both pollers.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cstdio>

#include <escapement/io/native/detail/negative_ttl.h>
#include <escapement/timers/interval.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/dns_server.h"
#include "support/scratch_folder.h"

using namespace escapement;
using namespace escapement::test;

namespace {

using Addresses = std::vector<SocketAddress>;

// A query that is answered at once must not depend on how soon a busy machine gets to it.
constexpr Duration long_enough = 8s;

struct World {
  explicit World(DnsScript script, Duration timeout = long_enough, int tries = 1,
                 AddressFamily family = AddressFamily::any)
      : loop(*Loop::make(options(ESC_EACH_BACKEND()))),
        dns(*loop, std::move(script)),
        resolver(loop->backend(), loop->reactor(), asking(dns.address(), timeout, tries, family)) {}

  static LoopOptions options(const std::string& backend) {
    LoopOptions options;
    options.backend = backend;
    return options;
  }
  static ResolverOptions asking(std::string server, Duration timeout, int tries,
                                AddressFamily family = AddressFamily::any) {
    ResolverOptions options;
    options.servers = std::move(server);
    options.timeout = timeout;
    options.tries = tries;
    options.family = family;
    return options;
  }

  // Addresses in text, or the error.
  std::string ask(const std::string& name) {
    Result<Addresses> found = loop->run(with_timeout(10s, resolver.resolve(name, 80)));
    if (!found) return to_string(found.error());
    std::string text;
    for (const SocketAddress& address : *found) text += address.text() + ' ';
    return text;
  }

  std::unique_ptr<Loop> loop;
  DnsServer dns;
  DnsResolver resolver;
};

using Messages = std::vector<DnsMessage>;

Messages both_families(const DnsQuestion& question) {
  return {dns_answer(question, 0, question.type == DnsType::a ? "127.0.0.9" : "::9")};
}

}  // namespace

TEST_CASE("resolver: both families of a name") {
  World world(both_families);
  const std::string found = world.ask("both.test");
  CHECK((found == "127.0.0.9:80 [::9]:80 " || found == "[::9]:80 127.0.0.9:80 "));
  CHECK(world.dns.questions.size() == 2);
  CHECK(world.dns.questions.front().name == "both.test");
}

TEST_CASE("resolver: one family, when the other does not count") {
  const bool v4 = GENERATE(true, false);
  World world(both_families, long_enough, 1, v4 ? AddressFamily::v4 : AddressFamily::v6);
  CHECK(world.ask("both.test") == (v4 ? "127.0.0.9:80 " : "[::9]:80 "));
  CHECK(world.dns.questions.size() == 1);
  CHECK(world.ask(v4 ? "127.0.0.1" : "::1") == (v4 ? "127.0.0.1:80 " : "[::1]:80 "));
  CHECK(world.ask(v4 ? "::1" : "127.0.0.1").starts_with("not_found: "));
}

TEST_CASE("resolver: an override is for its name in any spelling, and for its port alone") {
  World world(both_families, long_enough, 1, AddressFamily::v4);
  ResolverOptions options = World::asking(world.dns.address(), long_enough, 1, AddressFamily::v4);
  options.overrides.emplace_back("fixed.test", 80, "127.0.0.7");
  options.overrides.emplace_back("fixed.test", 443, "127.0.0.8");
  DnsResolver resolver(world.loop->backend(), world.loop->reactor(), options);
  const auto ask = [&](const char* name, std::uint16_t port) {
    Result<Addresses> found = world.loop->run(with_timeout(10s, resolver.resolve(name, port)));
    return found ? found->front().text() : to_string(found.error());
  };
  CHECK(ask("fixed.test", 80) == "127.0.0.7:80");
  CHECK(ask("Fixed.TEST", 443) == "127.0.0.8:443");
  CHECK(world.dns.questions.empty());
  CHECK(ask("fixed.test", 8080) == "127.0.0.9:8080");
  CHECK(ask("fixed.test.", 80) == "127.0.0.9:80");
  CHECK(ask("unfixed.test", 80) == "127.0.0.9:80");
}

TEST_CASE("resolver: overrides of one name are its addresses in order, and * is every other host") {
  World world(both_families);
  ResolverOptions options = World::asking(world.dns.address(), long_enough, 1);
  options.overrides.emplace_back("*", 80, "127.0.0.1");
  options.overrides.emplace_back("fixed.test", 80, "127.0.0.8");
  options.overrides.emplace_back("fixed.test", 80, "::7");
  options.overrides.emplace_back("fixed.test", 80, "127.0.0.7");
  options.overrides.emplace_back("wrong.test", 80, "a.test");
  DnsResolver resolver(world.loop->backend(), world.loop->reactor(), options);
  const auto ask = [&](const char* name, std::uint16_t port) {
    Result<Addresses> found = world.loop->run(with_timeout(10s, resolver.resolve(name, port)));
    if (!found) return to_string(found.error());
    std::string text;
    for (const SocketAddress& address : *found) text += address.host_text() + ' ';
    return text;
  };
  CHECK(ask("fixed.test", 80) == "::7 127.0.0.8 127.0.0.7 ");
  CHECK(ask("other.test", 80) == "127.0.0.1 ");
  CHECK(ask("::1", 80) == "127.0.0.1 ");  // as in curl, a literal address too
  CHECK(ask("wrong.test", 80) == "invalid_argument: a.test is no literal address");
  CHECK(world.dns.questions.empty());
  CHECK(ask("other.test", 81) == "::9 127.0.0.9 ");
}

TEST_CASE("resolver: that there is nothing is kept for as long as the zone says") {
  World world([](const DnsQuestion& question) -> Messages {
    const int code = question.name == "none.test" ? 3 : 0;
    if (question.name == "unsaid.test") return {dns_answer(question, 3)};
    return {dns_nothing(question, code, 900, 0)};
  });
  for (const char* name : {"none.test", "empty.test"}) {
    const std::size_t before = world.dns.questions.size();
    CHECK(world.ask(name) == world.ask(name));
    CHECK(world.dns.questions.size() == before + 4);  // a minimum of 0: not at all
  }
  CHECK(world.ask("unsaid.test") == world.ask("unsaid.test"));
  CHECK(world.dns.questions.size() == 10);
}

TEST_CASE("negative ttl: the smaller one of the SOA record's two") {
  DnsQuestion question;
  question.bytes = std::string("\1a\4test\0\0\1\0\1", 12);
  CHECK(detail::negative_ttl(dns_nothing(question, 3, 900, 60)) == 60s);
  CHECK(detail::negative_ttl(dns_nothing(question, 3, 30, 3600)) == 30s);
  CHECK(detail::negative_ttl(dns_nothing(question, 0, 0, 3600)) == 0s);
  CHECK(detail::negative_ttl(dns_nothing(question, 3, 900, 0xffffffff)) == std::nullopt);
  CHECK(detail::negative_ttl(dns_answer(question, 3)) == std::nullopt);
  CHECK(detail::negative_ttl(dns_answer(question, 0, "127.0.0.1")) == std::nullopt);
}

TEST_CASE("negative ttl: a message that is cut, or lies about its lengths, says nothing") {
  DnsQuestion question;
  question.bytes = std::string("\1a\4test\0\0\1\0\1", 12);
  const std::string whole = dns_nothing(question, 3, 900, 60);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK(detail::negative_ttl(whole.substr(0, length)) == std::nullopt);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {  // whatever it says, nothing is read beyond the end
    for (const int value : {0, 1, 0x3f, 0x40, 0xc0, 0xff}) {
      std::string wrong = whole;
      wrong[at] = static_cast<char>(value);
      const std::optional<Duration> ttl = detail::negative_ttl(wrong);
      CHECK((!ttl || *ttl >= Duration()));
    }
  }
}

TEST_CASE("resolver: half an answer is an answer") {
  const int other = GENERATE(0, 2, 3);  // the other family: nothing, a failure, no such name
  World world([other](const DnsQuestion& question) -> Messages {
    if (question.type == DnsType::a) return {dns_answer(question, 0, "127.0.0.9")};
    return {dns_answer(question, other)};
  });
  CHECK(world.ask("half.test") == "127.0.0.9:80 ");
}

TEST_CASE("resolver: what the server says that there is not") {
  World world([](const DnsQuestion& question) -> Messages {
    return {dns_answer(question, question.name == "empty.test" ? 0 : 3)};
  });
  CHECK(world.ask("none.test") == "not_found: resolve none.test: no such host");
  CHECK(world.ask("empty.test") == "not_found: resolve empty.test: the name has no address");
}

TEST_CASE("resolver: a server that fails or refuses is unavailable, and nothing was sent") {
  const int code = GENERATE(2, 5);
  World world([code](const DnsQuestion& question) -> Messages { return {dns_answer(question, code)}; });
  CHECK(world.ask("ill.test").starts_with("unavailable: resolve ill.test: "));
  Result<Addresses> again = world.loop->run(world.resolver.resolve("ill.test", 80));
  CHECK(!again.error().maybe_sent());
}

TEST_CASE("resolver: silence ends in time, and the loop goes on meanwhile") {
  World world([](const DnsQuestion&) { return Messages(); }, 60ms, 2);
  int ticks = 0;
  Scope scope(world.loop->reactor());
  auto tick = [](int& count) -> Task<> {
    Interval every(1ms);
    for (;;) {
      Instant due = co_await every.next();
      (void)due;
      ++count;
    }
  };
  scope.spawn(tick(ticks));
  const Instant began = world.loop->backend().now();
  CHECK(world.ask("silent.test").starts_with("unavailable: resolve silent.test: "));
  const Duration took = world.loop->backend().now() - began;
  CHECK(took >= Duration(60ms));
  CHECK(took < Duration(5s));
  CHECK(ticks > 1);
  CHECK(world.dns.questions.size() == 4);  // two tries for each family
}

TEST_CASE("resolver: a slow answer counts as long as it comes in time") {
  World world(
      [](const DnsQuestion& question) -> Messages {
        return {DnsMessage(dns_answer(question, 0, question.type == DnsType::a ? "127.0.0.9" : "::9"), 40ms)};
      },
      long_enough);
  CHECK(world.ask("slow.test").find("127.0.0.9:80 ") != std::string::npos);
}

TEST_CASE("resolver: the second try is heard when the first was lost") {
  int seen = 0;
  World world(
      [&seen](const DnsQuestion& question) { return ++seen <= 2 ? Messages() : both_families(question); },
      50ms, 3);
  CHECK(world.ask("lossy.test").find("127.0.0.9:80 ") != std::string::npos);
}

TEST_CASE("resolver: a truncated answer is asked for again over TCP") {
  World world(
      [](const DnsQuestion& question) -> Messages {
        if (!question.over_tcp) return {dns_answer(question, 0, "", true)};
        return both_families(question);
      },
      long_enough);
  CHECK(world.ask("long.test").find("127.0.0.9:80 ") != std::string::npos);
  bool over_tcp = false;
  for (const DnsQuestion& question : world.dns.questions) over_tcp = over_tcp || question.over_tcp;
  CHECK(over_tcp);
}

TEST_CASE("resolver: garbage, another question's id and another question's name are not answers") {
  World world(
      [](const DnsQuestion& question) -> Messages {
        DnsQuestion forged = question;
        forged.id ^= 1;
        DnsQuestion other = question;
        other.bytes[1] = 'x';
        const bool v4 = question.type == DnsType::a;
        return {DnsMessage("rubbish"),
                DnsMessage(std::string(600, '\xff')),
                DnsMessage(""),
                DnsMessage(dns_answer(forged, 0, v4 ? "127.6.6.6" : "::6")),
                DnsMessage(dns_answer(other, 0, v4 ? "127.6.6.6" : "::6")),
                DnsMessage(dns_answer(question, 0, v4 ? "127.0.0.9" : "::9"), 20ms)};
      },
      long_enough);
  const std::string found = world.ask("forged.test");
  CHECK(found.find("6.6") == std::string::npos);
  CHECK(found.find("127.0.0.9:80 ") != std::string::npos);
}

TEST_CASE("resolver: garbage alone is unavailable") {
  World world(
      [](const DnsQuestion& question) -> Messages {
        std::string cut = dns_answer(question, 0, question.type == DnsType::a ? "127.0.0.9" : "::9");
        cut.resize(cut.size() - 3);
        return {DnsMessage(cut)};
      },
      100ms);
  CHECK(world.ask("cut.test").starts_with("unavailable: resolve cut.test: "));
}

TEST_CASE("resolver: an answer that nobody waits for any more is dropped, and the next question is heard") {
  World world(
      [](const DnsQuestion& question) -> Messages {
        if (question.name != "late.test") return both_families(question);
        return {DnsMessage(dns_answer(question, 0, question.type == DnsType::a ? "127.6.6.6" : "::6"), 30ms)};
      },
      long_enough);
  Result<Addresses> given_up = world.loop->run(with_timeout(5ms, world.resolver.resolve("late.test", 80)));
  CHECK(given_up.error() == Errc::timed_out);
  CHECK(world.ask("next.test").find("127.0.0.9:80 ") != std::string::npos);
  auto wait = []() -> Task<> { co_await sleep(60ms); };
  CHECK(world.loop->run(wait()));
}

TEST_CASE("resolver: destroyed with questions under way") {
  std::unique_ptr<Loop> loop = *Loop::make(World::options(ESC_EACH_BACKEND()));
  DnsServer dns(*loop, [](const DnsQuestion&) { return Messages(); });
  Result<Addresses> outcome = Addresses();
  Scope scope(loop->reactor());
  auto resolver =
      std::make_unique<DnsResolver>(loop->backend(), loop->reactor(), World::asking(dns.address(), 2s, 1));
  auto ask = [](Resolver& resolver, Result<Addresses>& outcome) -> Task<> {
    outcome = co_await resolver.resolve("silent.test", 80).result();
  };
  scope.spawn(ask(*resolver, outcome));
  auto wait = [](Duration length) -> Task<> { co_await sleep(length); };
  CHECK(loop->run(wait(10ms)));
  resolver.reset();
  CHECK(loop->run(wait(1ms)));
  REQUIRE(!outcome);
  CHECK(outcome.error() == Errc::cancelled);
}

TEST_CASE("addresses: what is none") {
  for (const char* wrong : {"", "name", "1.2.3", "1.2.3.4.5", "256.0.0.1", "[::1]", "::1::", "127.0.0.1 "}) {
    CAPTURE(wrong);
    CHECK(!SocketAddress::literal(wrong, 80));
  }
  for (const char* wrong :
       {"", "h", "h:", "h:x", "h:65536", "h:-1", "h: 1", "::1:80", "[::1", "[::1]", "[::1]80"}) {
    CAPTURE(wrong);
    Result<HostAndPort> parsed = parse_host_and_port(wrong);
    REQUIRE(!parsed);
    CHECK(parsed.error() == Errc::invalid_argument);
    CHECK(parsed.error().message().find(wrong) != std::string::npos);
  }
}

TEST_CASE("resolver: servers that are none") {
  std::unique_ptr<Loop> loop = *Loop::make(World::options(ESC_EACH_BACKEND()));
  DnsResolver resolver(loop->backend(), loop->reactor(), World::asking("not an address", 100ms, 1));
  Result<Addresses> outcome = loop->run(resolver.resolve("some.test", 80));
  REQUIRE(!outcome);
  CHECK(outcome.error() == Errc::invalid_argument);
  CHECK(outcome.error().message().find("not an address") != std::string::npos);
  CHECK(!outcome.error().maybe_sent());
}

TEST_CASE("resolver: localhost and the names below it are this machine, and never asked of DNS") {
  std::vector<std::string> asked;
  const DnsScript script = [&](const DnsQuestion& question) -> Messages {
    asked.push_back(question.name);
    return both_families(question);
  };
  for (const AddressFamily family : {AddressFamily::any, AddressFamily::v4, AddressFamily::v6}) {
    World world(script, long_enough, 1, family);
    const std::string v6 = family != AddressFamily::v4 ? "[::1]:80 " : "";
    const std::string v4 = family != AddressFamily::v6 ? "127.0.0.1:80 " : "";
    for (const char* name : {"localhost", "LocalHost", "localhost.", "a.localhost", "b.a.LOCALHOST."}) {
      CAPTURE(name);
      CHECK(world.ask(name) == v6 + v4);
    }
    CHECK(asked.empty());
    for (const char* name : {"notlocalhost.test", "localhost.test", "xlocalhost"}) {
      CAPTURE(name);
      CHECK(world.ask(name).find("9") != std::string::npos);
    }
    CHECK(!asked.empty());
    asked.clear();
  }
}

TEST_CASE("resolver: what the server answered is kept, as is that there is nothing") {
  World world([](const DnsQuestion& question) -> Messages {
    if (question.name == "none.test") return {dns_answer(question, 3)};
    return both_families(question);
  });
  CHECK(world.ask("kept.test") == world.ask("KEPT.test"));
  CHECK(world.dns.questions.size() == 2);
  CHECK(world.ask("none.test") == world.ask("none.test"));
  CHECK(world.dns.questions.size() == 4);
  CHECK(world.resolver.cache().size() == 4);
  Result<Resolved> found = world.loop->run(world.resolver.lookup("kept.test", 80, AddressFamily::v4));
  REQUIRE(found);
  CHECK(found->ttl <= 60s);
  CHECK(found->ttl > 30s);
}

TEST_CASE("resolver: each way in which a server does not answer has its own fault") {
  World world(
      [](const DnsQuestion& question) -> Messages {
        if (question.name == "refused.test") return {dns_answer(question, 5)};
        if (question.name == "ill.test") return {dns_answer(question, 2)};
        if (question.name == "none.test") return {dns_answer(question, 3)};
        if (question.name == "empty.test") return {dns_answer(question, 0)};
        return {};
      },
      100ms);
  const auto fault = [&](const std::string& host) {
    Result<Addresses> found = world.loop->run(world.resolver.resolve(host, 80));
    REQUIRE(!found);
    CHECK(!found.error().maybe_sent());
    return std::string(name(found.error().fault()));
  };
  CHECK(fault("refused.test") == "dns_refused");
  CHECK(fault("ill.test") == "dns_server_failure");
  CHECK(fault("none.test") == "no_such_host");
  CHECK(fault("empty.test") == "no_address");
  CHECK(fault("silent.test") == "dns_no_answer");
  CHECK(fault("a..b") == "bad_host_name");
}

TEST_CASE("resolver: names in the hosts file are not asked of DNS, and the file may change") {
  const ScratchFolder folder;
  const std::string file = folder.path() + "/hosts";
  const auto write = [&](const char* text) {
    std::FILE* opened = std::fopen(file.c_str(), "w");
    REQUIRE(opened != nullptr);
    std::fputs(text, opened);
    std::fclose(opened);
  };
  World world(both_families);
  ResolverOptions options = World::asking(world.dns.address(), long_enough, 1);
  options.hosts_file = file;
  DnsResolver resolver(world.loop->backend(), world.loop->reactor(), options);
  const auto ask = [&](const char* host) {
    Result<Addresses> found = world.loop->run(resolver.resolve(host, 80));
    return found ? found->front().text() : to_string(found.error());
  };
  CHECK(ask("fixed.test") == "[::9]:80");  // there is no such file
  write("127.0.0.7 fixed.test other.test\n");
  CHECK(ask("Fixed.test.") == "127.0.0.7:80");
  write("127.0.0.77 fixed.test\n");
  CHECK(ask("fixed.test") == "127.0.0.77:80");
  CHECK(world.dns.questions.size() == 2);
  CHECK(ask("other.test") == "[::9]:80");
}
