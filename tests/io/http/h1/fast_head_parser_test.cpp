// The two ways to read a request's head must tell the same: the scanner for plain heads (head_scanner.h), and
// llhttp alone, which a message meets when its first byte comes by itself.

#include <memory>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/io/http/h1/fast_head_parser.h>
#include <escapement/io/http/h1/parser.h>

#include "support/protocol_cases.h"

using namespace escapement;
using namespace escapement::http;

namespace {

// Bytes with nothing around them, so that AddressSanitizer sees who reads on.
class Exact {
 public:
  explicit Exact(std::string_view text) : size_(text.size()), bytes_(new char[text.size()]) {
    text.copy(bytes_.get(), size_);
  }
  std::string_view text() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

std::string told_of(MessageHead& head) {
  std::string said(head.method.text());
  said += ' ' + std::string(head.target) + " host " + std::string(head.host);
  said += " 1." + std::to_string(head.minor_version) + (head.keep_alive ? " lives" : " ends");
  said += head.upgrade ? " upgrade" : "";
  said += (head.expect_continue ? " expects" : "") + std::string(head.chunked ? " chunked" : "");
  said += head.content_length ? " length " + std::to_string(*head.content_length) : "";
  for (const Headers::Field& field : head.headers) said += " [" + field.name + "=" + field.value + "]";
  return said;
}

enum class Way { any, llhttp_alone };

// Everything the parser says about `bytes`, and where.
std::string told(Way way, std::string_view bytes, const ParserLimits& limits) {
  Parser parser(Parser::Role::request, limits);
  std::string said;
  std::size_t at = 0;
  for (;;) {
    std::string_view rest = bytes.substr(at);
    if (way == Way::llhttp_alone && parser.between_messages()) rest = rest.substr(0, 1);
    const Exact exact(rest);
    const Parser::Step step = parser.feed(as_bytes(exact.text()));
    at += step.consumed;
    if (step.event == Parser::Event::failed) {
      return said + "failed " + std::to_string(parser.error_status()) + ' ' + parser.error().message();
    }
    if (step.event == Parser::Event::need_more) {
      if (at == bytes.size()) break;
      continue;
    }
    said += std::to_string(at) + ": ";
    const bool bare = step.event == Parser::Event::bare_head;
    if (bare || step.event == Parser::Event::head) said += told_of(parser.head()) + '\n';
    if (bare) said += std::to_string(at) + ": ";
    if (step.event == Parser::Event::body) said += std::string(as_text(parser.body())) + '\n';
    if (bare || step.event == Parser::Event::complete) {
      for (const Headers::Field& field : parser.trailers()) said += field.name + '=' + field.value + ' ';
      said += "complete\n";
    }
  }
  const Parser::Event end = parser.finish();
  return said + (end == Parser::Event::failed ? "cut" : "end");
}

bool same(std::string_view bytes, const ParserLimits& limits) {
  const std::string scanned = told(Way::any, bytes, limits);
  const std::string alone = told(Way::llhttp_alone, bytes, limits);
  if (scanned == alone) return true;
  UNSCOPED_INFO("bytes: " << bytes << "\nwith the scanner: " << scanned << "\nllhttp alone: " << alone);
  return false;
}

bool plain(std::string_view bytes) {
  http::detail::FastHeadParser reader;
  MessageHead head;
  const Exact exact(bytes);
  return reader.read(exact.text(), ParserLimits(), head) != 0;
}

const std::vector<std::string> heads = {
    "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "HEAD /a/b?c=d&e HTTP/1.0\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: [::1]:81\r\nExpect: 100-continue\r\nX:\t a \tb\xc3\xa4 \r\nY:\r\n\r\n",
    "OPTIONS /%41;~!'()*+,=:@[]{}|^` HTTP/1.1\r\nhost:h\r\nConnection: keep-alive, Close\r\n\r\n",
    "GET /0123456789abcdef HTTP/1.1\r\nHOST: h\r\nConnection: Te\r\nUpgrade: h2c\r\nAccept: */*\r\n\r\n",
    "DELETE /x HTTP/1.0\r\nConnection: keep-alive\r\nProxy-Connection: close\r\nhost: a.b\r\n\r\n",
    "TRACE /x HTTP/1.0\r\nExpect: 100-continue\r\nLast:\r\n\r\n"};
const std::vector<std::string> for_llhttp = {
    "GET /x HTTP/1.1\r\nHost: h\r\nConnection: te, Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n"};

}  // namespace

TEST_CASE("plain head: takes what is plain, and nothing that is not there to its end") {
  for (const std::string& head : heads) {
    const std::size_t size = head.find("\r\n\r\n") + 4;
    CHECK(plain(head));
    for (std::size_t cut = 0; cut < size; ++cut) {
      CAPTURE(head, cut);
      CHECK(!plain(head.substr(0, cut)));
    }
  }
  for (const std::string& head : for_llhttp) CHECK(!plain(head));
  http::detail::FastHeadParser reader;
  MessageHead head;
  REQUIRE(reader.read("GET /a HTTP/1.0\r\nA: b\t \r\n\r\nrest", ParserLimits(), head) == 27);
  CHECK(head.method == "GET");
  CHECK(head.target == "/a");
  CHECK(head.minor_version == 0);
  REQUIRE(head.headers.size() == 1);
  CHECK(*head.headers.get("A") == "b");
}

TEST_CASE("plain head: the protocol cases are told as without it") {
  for (const char* file : {"requests", "refused_requests"}) {
    for (const test::ProtocolCase& c : test::read_protocol_cases(test::protocol_cases_text(file))) {
      CAPTURE(c.what);
      const ParserLimits limits = c.small_limits ? test::small_limits() : ParserLimits();
      CHECK(same(c.bytes, limits));
      CHECK(same(c.bytes + heads[0] + heads[1], limits));
      CHECK(same(heads[0] + c.bytes, limits));
      CHECK(same(c.bytes + c.bytes + c.bytes, limits));
    }
  }
}

TEST_CASE("plain head: any byte at any place is told as without it") {
  for (const std::string& head : heads) {
    for (std::size_t at = 0; at < head.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string changed = head;
        changed[at] = static_cast<char>(byte);
        REQUIRE(same(changed + heads[0], ParserLimits()));
        // As the third of its kind: compared with what is remembered.
        if (byte % 16 == 0 || byte < ' ') REQUIRE(same(head + head + changed + head, ParserLimits()));
      }
    }
  }
}

TEST_CASE("plain head: heads changed at random are told as without it") {
  const std::vector<std::string> pieces = {"\r\n",
                                           "\n",
                                           "\r",
                                           ":",
                                           " ",
                                           "\t",
                                           "\r\n\r\n",
                                           "Host: x\r\n",
                                           "a: b\r\n",
                                           "Content-Length: 0\r\n",
                                           "HTTP/1.1",
                                           "GET ",
                                           std::string(64, 'x'),
                                           std::string(1, '\0'),
                                           "\x7f",
                                           "\xff",
                                           "Transfer-Encoding: chunked\r\n",
                                           "Expect: 100-continue\r\n",
                                           "connection: close\r\n"};
  Random random(11);
  const auto below = [&random](std::size_t bound) {
    return static_cast<std::size_t>(random.up_to(bound - 1));
  };
  int plain_ones = 0;
  std::vector<std::string> all = heads;
  all.insert(all.end(), for_llhttp.begin(), for_llhttp.end());
  for (int round = 0; round < 40'000; ++round) {
    std::string text = all[below(all.size())];
    const std::string before = random.one_in(2) ? text + text : "";
    for (std::size_t change = below(4); change > 0; --change) {
      const std::size_t at = below(text.size() + 1);
      switch (below(3)) {
        case 0: text.insert(at, pieces[below(pieces.size())]); break;
        case 1: text.erase(at, 1 + below(3)); break;
        default: text.insert(at, text.substr(below(text.size()), below(20)));
      }
      if (text.empty()) text = "G";
    }
    plain_ones += plain(text) ? 1 : 0;
    text = before + text + all[below(all.size())];
    REQUIRE(same(text, random.one_in(3) ? test::small_limits() : ParserLimits()));
  }
  CHECK(plain_ones > 10'000);
}

TEST_CASE("plain head: fields that come again mean the same, whatever line they come with") {
  http::detail::FastHeadParser reader;
  const auto told_by = [&reader](const std::string& bytes) {
    MessageHead head;
    const Exact exact(bytes);
    const std::size_t size = reader.read(exact.text(), ParserLimits(), head);
    return size == 0 ? "no" : std::to_string(size) + ' ' + told_of(head);
  };
  const std::string fields = "Connection: keep-alive\r\nExpect: 100-continue\r\nX: 1\r\n\r\n";
  const std::string host_and_fields = "Host: h\r\n" + fields;
  for (int round = 0; round < 4; ++round) {
    CAPTURE(round);
    CHECK(told_by("GET /a HTTP/1.1\r\n" + host_and_fields) ==
          "80 GET /a host h 1.1 lives expects [Host=h] [Connection=keep-alive] [Expect=100-continue] [X=1]");
  }
  CHECK(told_by("PUT /b/c HTTP/1.0\r\n" + host_and_fields) ==
        "82 PUT /b/c host h 1.0 lives [Host=h] [Connection=keep-alive] [Expect=100-continue] [X=1]");
  // One byte more, one less, another, and none of the empty line.
  CHECK(told_by("GET / HTTP/1.1\r\n" + host_and_fields.substr(0, host_and_fields.size() - 4) + "2\r\n\r\n") ==
        "80 GET / host h 1.1 lives expects [Host=h] [Connection=keep-alive] [Expect=100-continue] [X=12]");
  CHECK(told_by("GET / HTTP/1.1\r\n" + host_and_fields.substr(0, host_and_fields.size() - 2)) == "no");
  CHECK(
      told_by("GET / HTTP/1.1\r\n" + host_and_fields.substr(0, host_and_fields.size() - 2) +
              "Y: 2\r\n\r\n") ==
      "85 GET / host h 1.1 lives expects [Host=h] [Connection=keep-alive] [Expect=100-continue] [X=1] [Y=2]");
  // A request without Host is one in HTTP/1.0 only, remembered or not.
  for (int round = 0; round < 3; ++round) {
    CHECK(told_by("GET / HTTP/1.0\r\n" + fields) ==
          "70 GET / host  1.0 lives [Connection=keep-alive] [Expect=100-continue] [X=1]");
    CHECK(told_by("GET / HTTP/1.1\r\n" + fields) == "no");
  }
}
