// The cases of the Autobahn test suite for RFC 6455, by their numbers (crossbar.io/autobahn), played against
// an echoing server and an echoing client, their bytes at once, frame by frame and one by one. The suite
// itself is a Python 2 program. Its cases 12 and 13 are in middleware/web_socket/permessage_deflate_test.cpp.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/web_socket/connection.h>
#include <escapement/io/http/web_socket/frames.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>

#include "support/raw_http.h"

using namespace escapement;
using namespace escapement::http::detail;
using namespace std::string_literals;

namespace {

constexpr int fin = 0x80;
enum Op : int { cont = 0, text = 1, binary = 2, closing = 8, ping = 9, pong = 10 };

// A frame that the tester sends: its first byte, and its payload.
struct Sent {
  Sent(int f, std::string p) : first(f), payload(std::move(p)) {}
  int first;
  std::string payload;
};

struct Case {
  Case(std::string i, std::vector<Sent> s, std::string e)
      : id(std::move(i)), sent(std::move(s)), expected(std::move(e)) {}
  std::string id;
  std::vector<Sent> sent;
  std::string expected;  // the frames that come back
};

enum class Chops { none, frames, octets };

std::string wire(const Sent& frame, WebSocketRole tested) {
  std::string bytes;
  FrameHead head{.length = frame.payload.size()};
  if (tested == WebSocketRole::server) head.mask = 0;  // zero, and so not visible in the payload
  append_frame_head(bytes, head);
  bytes[0] = static_cast<char>(frame.first);
  return bytes + frame.payload;
}

std::string shortened(const std::string& payload) {
  return payload.size() <= 40 ? payload : payload.substr(0, 4) + "... " + std::to_string(payload.size());
}

// Reads the frames that came back.
std::string transcript(std::string_view bytes, WebSocketRole tested) {
  FrameParser parser(tested == WebSocketRole::server ? WebSocketRole::client : WebSocketRole::server,
                     64 * MiB);
  std::string seen;
  while (!bytes.empty() && parser.failure() == nullptr) {
    std::optional<FrameEvent> event;
    bytes.remove_prefix(parser.take(as_bytes(bytes), event));
    if (!event) continue;
    if (event->kind == Opcode::text) seen += "text " + shortened(event->data) + "; ";
    if (event->kind == Opcode::binary) seen += "binary " + shortened(event->data) + "; ";
    if (event->kind == Opcode::ping) seen += "ping; ";
    if (event->kind == Opcode::pong) seen += "pong " + shortened(event->data) + "; ";
    if (event->kind == Opcode::close) seen += "close " + std::to_string(event->code);
  }
  return parser.failure() == nullptr ? seen : seen + "broken: " + parser.failure();
}

Task<> echo(StreamWebSocket& socket) {
  for (;;) {
    Result<std::optional<WebSocketMessage>> message = co_await socket.receive().result();
    if (!message || !*message) break;
    co_await socket.send(**std::move(message));
  }
  co_await socket.finish(code_normal);
}

// `held_back`: bytes at the end of the last frame that never come.
std::string play(const Case& one, WebSocketRole tested, Chops chops, std::size_t held_back = 0) {
  Sim sim(Seed{1});
  PipeEnds ends = pipe(PipeOptions{.capacity = 32 * MiB});
  http::WebSocketLimits limits;
  limits.message_max = 16 * MiB;
  std::unique_ptr<StreamWebSocket> socket =
      tested == WebSocketRole::server
          ? std::make_unique<StreamWebSocket>(sim.reactor(), std::move(ends.first), limits)
          : std::make_unique<StreamWebSocket>(sim.reactor(), std::move(ends.first), limits, "",
                                              [] { return std::uint32_t{0x9f3a7c51}; });
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(echo(*socket));
  std::vector<std::string> parts;
  for (const Sent& frame : one.sent) {
    std::string bytes = wire(frame, tested);
    if (&frame == &one.sent.back()) bytes.resize(bytes.size() - held_back);
    if (chops == Chops::octets && bytes.size() < 1000) {
      for (const char c : bytes) parts.emplace_back(1, c);
    } else if (chops == Chops::none && !parts.empty()) {
      parts.back() += bytes;
    } else {
      parts.push_back(bytes);
    }
  }
  for (const std::string& part : parts) {
    Result<> written = sim.run(ends.second->write(as_bytes(part)));
    if (!written) break;  // the peer has failed the connection, as it has to in some cases
    sim.settle();
  }
  const std::string all = test::read_for(sim, *ends.second, 100ms);
  std::string_view came = all;
  for (const std::string_view ending : {" end", " reset"}) {
    if (came.ends_with(ending)) came.remove_suffix(ending.size());
  }
  return transcript(came, tested);
}

// Ends a case in which nothing is wrong.
Sent bye() { return Sent(fin | closing, "\x03\xe8"); }

void check(const std::vector<Case>& cases) {
  const WebSocketRole tested = GENERATE(WebSocketRole::server, WebSocketRole::client);
  const Chops chops = GENERATE(Chops::none, Chops::frames, Chops::octets);
  for (const Case& one : cases) {
    CAPTURE(one.id, static_cast<int>(tested), static_cast<int>(chops));
    CHECK(play(one, tested, chops) == one.expected);
  }
}

}  // namespace

TEST_CASE("Autobahn 1: text and binary messages of every length of the head") {
  std::vector<Case> cases;
  int n = 0;
  for (const std::size_t size : {0, 125, 126, 127, 128, 65535, 65536}) {
    const std::string payload(size, '*');
    ++n;
    cases.emplace_back("1.1." + std::to_string(n), std::vector<Sent>{Sent(fin | text, payload), bye()},
                       "text " + shortened(payload) + "; close 1000");
    const std::string bytes(size, '\xfe');
    cases.emplace_back("1.2." + std::to_string(n), std::vector<Sent>{Sent(fin | binary, bytes), bye()},
                       "binary " + shortened(bytes) + "; close 1000");
  }
  check(cases);
}

TEST_CASE("Autobahn 2: pings and pongs") {
  const std::string longest(125, '\xfe');
  std::vector<Sent> ten;
  std::string answers;
  for (int i = 0; i < 10; ++i) {
    ten.emplace_back(fin | ping, "payload-" + std::to_string(i));
    answers += "pong payload-" + std::to_string(i) + "; ";
  }
  ten.push_back(bye());
  check({Case("2.1", {Sent(fin | ping, ""), bye()}, "pong ; close 1000"),
         Case("2.2", {Sent(fin | ping, "Hello, world!"), bye()}, "pong Hello, world!; close 1000"),
         Case("2.3", {Sent(fin | ping, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"s), bye()},
              "pong \x00\xff\xfe\xfd\xfc\xfb\x00\xff; close 1000"s),
         Case("2.4 2.6", {Sent(fin | ping, longest), bye()}, "pong " + shortened(longest) + "; close 1000"),
         Case("2.5", {Sent(fin | ping, longest + '\xfe'), bye()}, "close 1002"),
         Case("2.7", {Sent(fin | pong, ""), bye()}, "close 1000"),
         Case("2.8", {Sent(fin | pong, "unsolicited pong payload"), bye()}, "close 1000"),
         Case("2.9", {Sent(fin | pong, "unsolicited pong payload"), Sent(fin | ping, "ping payload"), bye()},
              "pong ping payload; close 1000"),
         Case("2.10 2.11", ten, answers + "close 1000")});
}

TEST_CASE("Autobahn 3: reserved bits") {
  const Sent hello(fin | text, "Hello, world!");
  const std::string echoed = "text Hello, world!; ";
  check({Case("3.1", {Sent(fin | 0x10 | text, "Hello, world!"), bye()}, "close 1002"),
         Case("3.2", {hello, Sent(fin | 0x20 | text, "Hello, world!"), Sent(fin | ping, "")},
              echoed + "close 1002"),
         Case("3.3", {hello, Sent(fin | 0x30 | text, "Hello, world!"), Sent(fin | ping, "")},
              echoed + "close 1002"),
         Case("3.4", {hello, Sent(fin | 0x40 | text, "Hello, world!"), Sent(fin | ping, "")},
              echoed + "close 1002"),
         Case("3.5", {Sent(fin | 0x50 | binary, "\x00\xff\xfe"s), bye()}, "close 1002"),
         Case("3.6", {Sent(fin | 0x60 | ping, "Hello, world!"), bye()}, "close 1002"),
         Case("3.7", {Sent(fin | 0x70 | closing, "\x03\xe8")}, "close 1002")});
}

TEST_CASE("Autobahn 4: opcodes that do not exist") {
  std::vector<Case> cases;
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    const std::string id =
        (opcode < 8 ? "4.1." : "4.2.") + std::to_string(opcode < 8 ? opcode - 2 : opcode - 10);
    cases.emplace_back(
        id, std::vector<Sent>{Sent(fin | opcode, opcode % 2 == 0 ? "reserved" : ""), Sent(fin | ping, "")},
        "close 1002");
    cases.emplace_back(
        id + " after a message",
        std::vector<Sent>{Sent(fin | text, "Hello, world!"), Sent(fin | opcode, "x"), Sent(fin | ping, "")},
        "text Hello, world!; close 1002");
  }
  check(cases);
}

TEST_CASE("Autobahn 5: fragments") {
  const std::string whole = "text fragment1fragment2; ";
  const Sent first(text, "fragment1"), last(fin | cont, "fragment2");
  check(
      {Case("5.1", {Sent(ping, "fragment1"), Sent(fin | cont, "fragment2")}, "close 1002"),
       Case("5.2", {Sent(pong, "fragment1"), Sent(fin | cont, "fragment2")}, "close 1002"),
       Case("5.3 5.4 5.5", {first, last, bye()}, whole + "close 1000"),
       Case("5.6 5.7 5.8", {first, Sent(fin | ping, "ping payload"), last, bye()},
            "pong ping payload; " + whole + "close 1000"),
       Case("5.9 5.10 5.11",
            {Sent(fin | cont, "non-continuation payload"), Sent(fin | text, "Hello, world!")}, "close 1002"),
       Case("5.12 5.13 5.14", {Sent(cont, "non-continuation payload"), Sent(fin | text, "Hello, world!")},
            "close 1002"),
       Case("5.15", {first, last, Sent(cont, "fragment3"), Sent(fin | text, "fragment4")},
            whole + "close 1002"),
       Case("5.16", {Sent(cont, "fragment1"), Sent(text, "fragment2"), Sent(fin | cont, "fragment3")},
            "close 1002"),
       Case("5.17", {Sent(fin | cont, "fragment1"), Sent(text, "fragment2"), Sent(fin | cont, "fragment3")},
            "close 1002"),
       Case("5.18", {first, Sent(fin | text, "fragment2")}, "close 1002"),
       Case("5.19 5.20",
            {Sent(text, "fragment1"), Sent(cont, "fragment2"), Sent(fin | ping, "pongme 1!"),
             Sent(cont, "fragment3"), Sent(cont, "fragment4"), Sent(fin | ping, "pongme 2!"),
             Sent(fin | cont, "fragment5"), bye()},
            "pong pongme 1!; pong pongme 2!; text frag... 45; close 1000")});
}

TEST_CASE("Autobahn 6.1 to 6.4: text in fragments, which fails at the first byte that makes it no UTF-8") {
  const std::string hello = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!";
  const std::string greek = "\u03ba\u1f79\u03c3\u03bc\u03b5";
  std::vector<Sent> octets;
  for (std::size_t i = 0; i < hello.size(); ++i) {
    const int end = i + 1 == hello.size() ? fin : 0;
    octets.emplace_back(end | (i == 0 ? text : cont), hello.substr(i, 1));
  }
  octets.push_back(bye());
  check({Case("6.1.1", {Sent(fin | text, ""), bye()}, "text ; close 1000"),
         Case("6.1.2", {Sent(text, ""), Sent(cont, ""), Sent(fin | cont, ""), bye()}, "text ; close 1000"),
         Case("6.1.3", {Sent(text, ""), Sent(cont, "middle frame payload"), Sent(fin | cont, ""), bye()},
              "text middle frame payload; close 1000"),
         Case("6.2.1", {Sent(fin | text, hello), bye()}, "text " + hello + "; close 1000"),
         Case("6.2.2", {Sent(text, hello.substr(0, 12)), Sent(fin | cont, hello.substr(12)), bye()},
              "text " + hello + "; close 1000"),
         Case("6.2.3 6.2.4", octets, "text " + hello + "; close 1000"),
         Case("6.3.1 6.3.2", {Sent(fin | text, greek + "\xed\xa0\x80" + "edited"), bye()}, "close 1007"),
         // The rest of the message never comes.
         Case("6.4.1", {Sent(text, greek), Sent(cont, "\xf4\x90\x80\x80")}, "close 1007"),
         Case("6.4.2", {Sent(text, greek + "\xf4"), Sent(cont, "\x90")}, "close 1007")});
}

TEST_CASE("Autobahn 6.4.3 and 6.4.4: the second octet of a code point past U+10FFFF fails within its frame") {
  const WebSocketRole tested = GENERATE(WebSocketRole::server, WebSocketRole::client);
  const Case one("6.4.3",
                 {Sent(fin | text,
                       "\u03ba\u1f79\u03c3\u03bc\u03b5\xf4\x90\x80\x80"
                       "edited")},
                 "close 1007");
  CHECK(play(one, tested, Chops::octets, 8) == one.expected);
}

TEST_CASE("Autobahn 6.5 to 6.23: what is UTF-8, and what is not") {
  const auto case_of = [](const std::string& id, const std::string& payload, bool valid) {
    return Case(id, {Sent(fin | text, payload), bye()},
                valid ? "text " + shortened(payload) + "; close 1000" : "close 1007"s);
  };
  std::vector<Case> cases;
  const std::string greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
  for (std::size_t n = 1; n <= greek.size(); ++n) {
    const bool whole = n == 2 || n == 5 || n == 7 || n == 9 || n == 11;
    cases.push_back(case_of("6.6." + std::to_string(n), greek.substr(0, n), whole));
  }
  for (const std::string& payload : std::vector<std::string>{"\x00"s,
                                                             "\xc2\x80",
                                                             "\xe0\xa0\x80",
                                                             "\xf0\x90\x80\x80",  // 6.7
                                                             "\x7f",
                                                             "\xdf\xbf",
                                                             "\xef\xbf\xbf",
                                                             "\xf4\x8f\xbf\xbf",  // 6.9
                                                             "\xed\x9f\xbf",
                                                             "\xee\x80\x80",
                                                             "\xef\xbf\xbd",  // 6.11
                                                             "\xef\xbf\xbe",
                                                             "\xf0\x9f\xbf\xbe",
                                                             "\xf0\x9f\xbf\xbf",  // 6.22
                                                             "\xf0\xaf\xbf\xbe",
                                                             "\xf1\x8f\xbf\xbf",
                                                             "\xf3\xbf\xbf\xbe",  // 6.22
                                                             "\xf4\x8f\xbf\xbe",
                                                             "\xef\xbf\xb9",
                                                             "\xef\xbf\xba",
                                                             "\xef\xbf\xbb",
                                                             "\xef\xbf\xbc"})  // 6.23
    cases.push_back(case_of("6.7 to 6.23, valid", payload, true));
  std::vector<std::string> invalid = {
      "\xf8\x88\x80\x80\x80",
      "\xfc\x84\x80\x80\x80\x80",  // 6.8
      "\xf7\xbf\xbf\xbf",
      "\xfb\xbf\xbf\xbf\xbf",
      "\xfd\xbf\xbf\xbf\xbf\xbf",  // 6.10
      "\xf4\x90\x80\x80",          // 6.11.5
      "\x80",
      "\xbf",
      "\x80\xbf",
      "\x80\xbf\x80",
      "\x80\xbf\x80\xbf",
      "\x80\xbf\x80\xbf\x80",  // 6.12
      "\xc0",
      "\xe0\x80",
      "\xf0\x80\x80",
      "\xf8\x80\x80\x80",
      "\xfc\x80\x80\x80\x80",  // 6.14
      "\xdf",
      "\xef\xbf",
      "\xf7\xbf\xbf",
      "\xfb\xbf\xbf\xbf",
      "\xfd\xbf\xbf\xbf\xbf",                                                      // 6.14
      "\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf",  // 6.15
      "\xfe",
      "\xff",
      "\xfe\xfe\xff\xff",  // 6.16
      "\xc0\xaf",
      "\xe0\x80\xaf",
      "\xf0\x80\x80\xaf",
      "\xf8\x80\x80\x80\xaf",  // 6.17
      "\xc1\xbf",
      "\xe0\x9f\xbf",
      "\xf0\x8f\xbf\xbf",
      "\xf8\x87\xbf\xbf\xbf",  // 6.18
      "\xc0\x80"s,
      "\xe0\x80\x80"s,
      "\xf0\x80\x80\x80"s,
      "\xfc\x80\x80\x80\x80\x80"s,  // 6.19
      "\xed\xa0\x80",
      "\xed\xad\xbf",
      "\xed\xae\x80",
      "\xed\xaf\xbf",
      "\xed\xb0\x80",
      "\xed\xbe\x80",
      "\xed\xbf\xbf",  // 6.20
      "\xed\xa0\x80\xed\xb0\x80",
      "\xed\xaf\xbf\xed\xbf\xbf"};  // 6.21
  for (int lonely = 0xc0; lonely <= 0xfd; ++lonely)
    invalid.push_back(static_cast<char>(lonely) + " "s);  // 6.13
  for (const std::string& payload : invalid) cases.push_back(case_of("6.8 to 6.21, invalid", payload, false));
  check(cases);
}

TEST_CASE("Autobahn 7: closes") {
  const auto close_with = [](int code, const std::string& reason) {
    return Sent(fin | closing,
                std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} + reason);
  };
  const Sent hello(fin | text, "Hello World!");
  const std::string echoed = "text Hello World!; ";
  std::vector<Case> cases = {
      Case("7.1.1", {hello, bye()}, echoed + "close 1000"),
      Case("7.1.2", {bye(), bye()}, "close 1000"),
      Case("7.1.3", {bye(), Sent(fin | ping, "")}, "close 1000"),
      Case("7.1.4", {bye(), hello}, "close 1000"),
      Case("7.1.5", {Sent(text, "fragment1"), bye(), Sent(fin | cont, "fragment2")}, "close 1000"),
      Case("7.1.6", {Sent(fin | text, std::string(256 * KiB, '*')), bye(), Sent(fin | ping, "")},
           "text ****... 262144; close 1000"),
      Case("7.3.1", {Sent(fin | closing, "")}, "close 1005"),
      Case("7.3.2", {Sent(fin | closing, "\x03")}, "close 1002"),
      Case("7.3.4", {close_with(1000, "Hello World!")}, "close 1000"),
      Case("7.3.5", {close_with(1000, std::string(123, '*'))}, "close 1000"),
      Case("7.3.6", {close_with(1000, std::string(124, '*'))}, "close 1002"),
      Case("7.5.1", {close_with(1000, "\xce\xba\xe1\xbd\xb9\xed\xa0\x80")}, "close 1007"),
  };
  int n = 0;
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999})
    cases.emplace_back("7.7." + std::to_string(++n), std::vector<Sent>{close_with(code, "")},
                       "close " + std::to_string(code));
  n = 0;
  for (const int code : {0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999})
    cases.emplace_back("7.9." + std::to_string(++n), std::vector<Sent>{close_with(code, "")}, "close 1002");
  cases.emplace_back("7.13.1", std::vector<Sent>{close_with(5000, "")}, "close 1002");
  cases.emplace_back("7.13.2", std::vector<Sent>{close_with(65535, "")}, "close 1002");
  check(cases);
}

TEST_CASE("Autobahn 9 and 10: long messages, in one frame and in many") {
  const WebSocketRole tested = GENERATE(WebSocketRole::server, WebSocketRole::client);
  for (const std::size_t size : {64 * KiB, 256 * KiB, 1 * MiB, 4 * MiB, 16 * MiB}) {  // 9.1, 9.2
    const std::string payload(size, '*');
    const Case one("9.1 9.2", {Sent(fin | binary, payload), bye()},
                   "binary " + shortened(payload) + "; close 1000");
    CAPTURE(size);
    CHECK(play(one, tested, Chops::none) == one.expected);
  }
  for (const std::size_t fragment : {64, 256, 1024, 1300, 4096, 16384, 65536}) {  // 9.3, 9.4, 10.1.1
    std::vector<Sent> frames;
    const std::string payload(512 * KiB, '*');
    for (std::size_t at = 0; at < payload.size(); at += fragment) {
      const int end = at + fragment >= payload.size() ? fin : 0;
      frames.emplace_back(end | (at == 0 ? text : cont), payload.substr(at, fragment));
    }
    frames.push_back(bye());
    CAPTURE(fragment);
    CHECK(play(Case("9.3", frames, ""), tested, Chops::none) == "text ****... 524288; close 1000");
  }
}
