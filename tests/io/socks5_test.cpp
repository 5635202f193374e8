// SOCKS5, beside a scripted proxy on the other end of a pipe.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/io/socks5.h>

using namespace escapement;
using namespace std::string_literals;

namespace {

// The proxy's answers to each message of the client, one byte at a time; then it closes.
struct Talk {
  std::vector<std::string> answers;
  std::vector<std::string> heard;
};

Task<> proxy(std::unique_ptr<Stream> stream, Talk& talk) {
  std::vector<std::byte> room(1024);
  for (const std::string& answer : talk.answers) {
    Result<std::size_t> count = co_await stream->read(room).result();
    if (!count || *count == 0) co_return;
    talk.heard.emplace_back(as_text(Bytes(room).first(*count)));
    for (const char& c : answer) {
      Result<> sent = co_await stream->write(as_bytes(std::string_view(&c, 1))).result();
      if (!sent) co_return;
    }
  }
}

// "ok", or the kind and the fault.
std::string connect(Talk& talk, std::string host,
                    std::optional<Socks5Credentials> credentials = std::nullopt) {
  Sim sim;
  PipeEnds ends = pipe();
  Scope scope(sim.reactor());
  scope.spawn(proxy(std::move(ends.second), talk));
  Result<std::unique_ptr<Stream>> stream =
      sim.run(connect_by_socks5(std::move(ends.first), std::move(host), 443, std::move(credentials)));
  if (stream) return "ok";
  CHECK(!stream.error().maybe_sent());
  return std::string(name(stream.error().code())) + ' ' + std::string(name(stream.error().fault()));
}

const std::string none = "\x05\x00"s;
const std::string granted = "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"s;

}  // namespace

TEST_CASE("SOCKS5: a name, an IPv4 and an IPv6 address") {
  Talk name_talk{{none, "\x05\x00\x00\x03\x01x\x00\x50"s}, {}};
  CHECK(connect(name_talk, "a.test") == "ok");
  REQUIRE(name_talk.heard.size() == 2);
  CHECK(name_talk.heard[0] == "\x05\x01\x00"s);
  CHECK(name_talk.heard[1] ==
        "\x05\x01\x00\x03\x06"
        "a.test\x01\xbb"s);
  Talk v4{{none, granted}, {}};
  CHECK(connect(v4, "10.0.0.1") == "ok");
  CHECK(v4.heard.at(1) == "\x05\x01\x00\x01\x0a\x00\x00\x01\x01\xbb"s);
  Talk v6{{none, "\x05\x00\x00\x04"s + std::string(18, '\0')}, {}};
  CHECK(connect(v6, "::1") == "ok");
  CHECK(v6.heard.at(1) == "\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01\x01\xbb"s);
}

TEST_CASE("SOCKS5: an address with more behind a percent sign is a name, and an IPv6 zone is ours alone") {
  Talk name{{none, granted}, {}};
  CHECK(connect(name, "127.0.0.1%21") == "ok");
  CHECK(name.heard.at(1) ==
        "\x05\x01\x00\x03\x0c"
        "127.0.0.1%21\x01\xbb"s);
  Talk zone{{none, granted}, {}};
  CHECK(connect(zone, "::1%eth0") == "ok");
  CHECK(zone.heard.at(1) == "\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01\x01\xbb"s);
}

TEST_CASE("SOCKS5: user and password") {
  const Socks5Credentials me("user", "pass");
  Talk wanted{{"\x05\x02"s, "\x01\x00"s, granted}, {}};
  CHECK(connect(wanted, "a.test", me) == "ok");
  CHECK(wanted.heard.at(0) == "\x05\x02\x00\x02"s);
  CHECK(wanted.heard.at(1) == "\x01\x04user\x04pass"s);
  Talk token{{"\x05\x02"s, "\x01\x00"s, granted}, {}};
  CHECK(connect(token, "a.test", Socks5Credentials("token", "")) == "ok");
  CHECK(token.heard.at(1) == "\x01\x05token\x00"s);
  Talk not_wanted{{none, granted}, {}};
  CHECK(connect(not_wanted, "a.test", me) == "ok");
  Talk wrong{{"\x05\x02"s, "\x01\x01"s}, {}};
  CHECK(connect(wrong, "a.test", me) == "permission_denied proxy_auth_required");
  Talk missing{{"\x05\xff"s}, {}};
  CHECK(connect(missing, "a.test") == "permission_denied proxy_auth_required");
  Talk not_offered{{"\x05\x01"s}, {}};
  CHECK(connect(not_offered, "a.test", me) == "bad_message proxy_bad_answer");
  Talk unused;
  CHECK(connect(unused, "a.test", Socks5Credentials("", "x")) == "invalid_argument none");
  CHECK(connect(unused, "a.test", Socks5Credentials(std::string(256, 'x'), "x")) == "invalid_argument none");
  CHECK(connect(unused, "a.test", Socks5Credentials("x", std::string(256, 'x'))) == "invalid_argument none");
}

TEST_CASE("SOCKS5: each refusal") {
  const char* const faults[] = {"",
                                "unavailable proxy_failed",
                                "permission_denied proxy_refused",
                                "unavailable proxy_failed",
                                "unavailable proxy_failed",
                                "unavailable proxy_failed",
                                "unavailable proxy_failed",
                                "permission_denied proxy_refused",
                                "permission_denied proxy_refused",
                                "bad_message proxy_bad_answer"};
  for (int reply = 1; reply <= 9; ++reply) {
    INFO(reply);
    std::string answer = granted;
    answer[1] = static_cast<char>(reply);
    Talk talk{{none, answer}, {}};
    CHECK(connect(talk, "a.test") == faults[reply]);
  }
}

TEST_CASE("SOCKS5: what is no SOCKS5, and answers that are cut off") {
  Talk http{{"HTTP/1.1 400 Bad Request\r\n\r\n"}, {}};
  CHECK(connect(http, "a.test") == "bad_message proxy_bad_answer");
  Talk version{{none, "\x04" + granted.substr(1)}, {}};
  CHECK(connect(version, "a.test") == "bad_message proxy_bad_answer");
  Talk type{{none, "\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00"s}, {}};
  CHECK(connect(type, "a.test") == "bad_message proxy_bad_answer");
  for (std::size_t size = 0; size < granted.size(); ++size) {
    Talk cut{{none, granted.substr(0, size)}, {}};
    CHECK(connect(cut, "a.test") == "unavailable proxy_closed");
  }
  Talk silent;
  CHECK(connect(silent, "") == "invalid_argument none");
  CHECK(connect(silent, std::string(256, 'a')) == "invalid_argument none");
}
