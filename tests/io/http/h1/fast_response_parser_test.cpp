// FastResponseParser against llhttp: what it takes, llhttp takes as well and reads the same way.

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/io/http/h1/fast_response_parser.h>
#include <escapement/io/http/h1/parser.h>

using namespace escapement;
using http::Parser;
using http::detail::FastResponseParser;

namespace {

// Describes a response as text.
std::string described(const http::MessageHead& head, std::string_view body) {
  std::string text = std::to_string(head.status) + " 1." + std::to_string(head.minor_version);
  text += head.keep_alive ? " kept" : " closed";
  text += head.asks_keep_alive ? " asks" : "";
  text += head.upgrade ? " upgrade" : "";
  text += head.chunked || head.until_close || head.expect_continue ? " framed" : "";
  text += head.content_length ? " length " + std::to_string(*head.content_length) : "";
  head.headers.each([&text](std::string_view name, std::string_view value) {
    ((((text += " [") += name) += "|") += value) += "]";
  });
  return (text += " body ") += body;
}

// "" where it fails, or is not whole, or more follows than `consumed` says.
std::string by_llhttp(std::string_view text, std::size_t& consumed) {
  Parser parser(Parser::Role::response, http::ParserLimits());
  parser.expect_no_body(false);
  std::string body;
  std::string head;
  consumed = 0;
  for (;;) {
    const Parser::Step step = parser.feed(as_bytes(text.substr(consumed)));
    consumed += step.consumed;
    if (step.event == Parser::Event::head) head = described(parser.head(), "");
    if (step.event == Parser::Event::body) body += as_text(parser.body());
    if (step.event == Parser::Event::complete) return head + body;
    if (step.event == Parser::Event::failed || step.event == Parser::Event::need_more) return "";
  }
}

std::string fast(FastResponseParser& parser, std::string_view text, std::size_t& consumed) {
  http::MessageHead head;
  std::string_view body;
  consumed = parser.read(text, http::ParserLimits(), head, body);
  return consumed == 0 ? "" : described(head, body);
}

// Checks that it is read the same way, and by the fast one if `plain`.
void compare(FastResponseParser& parser, const std::string& text, bool plain) {
  CAPTURE(text);
  std::size_t fast_size = 0;
  std::size_t size = 0;
  const std::string read = fast(parser, text, fast_size);
  CHECK(read.empty() != plain);
  if (read.empty()) return;
  CHECK(read == by_llhttp(text, size));
  CHECK(fast_size == size);
}

}  // namespace

TEST_CASE("fast response parser: plain responses, byte by byte the same as llhttp") {
  FastResponseParser parser;
  const std::string plain[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!",
      "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World! and more",
      "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nno",
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 500 Oh no\r\nDate: Thu, 01 Jan 1970 00:00:00 "
      "GMT\r\nContent-Type:text/plain\r\nContent-Length:   3  "
      "\r\nconnection: Close\r\nX-Empty:\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.1 299 a b c ! ~\r\nKeep-Alive: timeout=5\r\ncontent-length: 1\r\nX: \xc3\xa4\tb\r\n\r\nx",
  };
  for (const std::string& text : plain) compare(parser, text, true);
  // Again, and again in another order: what is remembered means the same.
  for (int round = 0; round < 40; ++round) {
    for (const std::string& text : plain) compare(parser, text, true);
    compare(parser, plain[0], true);
    compare(parser, plain[0], true);
  }
}

TEST_CASE("fast response parser: what is not plain, or not whole, is left to llhttp") {
  FastResponseParser parser;
  for (const char* text : {
           "",
           "H",
           "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World",
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r",
           "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
           "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok",
           "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nA: b\x01\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
           "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n",
           "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
           "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
       }) {
    compare(parser, text, false);
  }
}

TEST_CASE("fast response parser: limits are llhttp's to report") {
  FastResponseParser parser;
  http::MessageHead head;
  std::string_view body;
  const std::string text = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 2\r\n\r\nok";
  http::ParserLimits limits;
  limits.header_count_max = 3;
  limits.head_bytes_max = text.size() - 2;
  for (int i = 0; i < 3; ++i) CHECK(parser.read(text, limits, head, body) == text.size());
  http::ParserLimits fewer = limits;
  fewer.header_count_max = 2;
  CHECK(parser.read(text, fewer, head, body) == 0);
  http::ParserLimits shorter = limits;
  shorter.head_bytes_max = text.size() - 3;
  CHECK(parser.read(text, shorter, head, body) == 0);
}

TEST_CASE("fast response parser: with bytes changed at random, what it takes llhttp reads the same way") {
  FastResponseParser parser;
  Random random(7);
  const std::string plain =
      "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\nContent-Length: "
      "13\r\n\r\n"
      "Hello, World!";
  const std::string bytes = "\r\n\t :;,0123456789abcXYZ-\x01\x7f\x80/.";
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = plain;
    for (std::uint64_t changes = 1 + random.up_to(2); changes > 0; --changes) {
      const std::size_t at = random.up_to(text.size() - 1);
      const char byte = bytes[random.up_to(bytes.size() - 1)];
      switch (random.up_to(2)) {
        case 0: text[at] = byte; break;
        case 1: text.insert(at, 1, byte); break;
        default: text.erase(at, 1); break;
      }
    }
    std::size_t fast_size = 0;
    std::size_t size = 0;
    const std::string read = fast(parser, text, fast_size);
    if (read.empty()) continue;
    ++taken;
    CAPTURE(text);
    REQUIRE(read == by_llhttp(text, size));
    REQUIRE(fast_size == size);
  }
  CHECK(taken > 2000);
}
