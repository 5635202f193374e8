// The parser on the cases of tests/cases/http: whole, byte by byte, at every split and at random ones.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/h1/writer.h>

#include "support/protocol_cases.h"

using namespace escapement;
using namespace escapement::http;

namespace {

// Returns what the parser reports about bytes that come in pieces: "GET /a |body| end; 400".
std::string told(Parser::Role role, std::string_view bytes, const std::vector<std::size_t>& cuts,
                 bool answers_head, ParserLimits limits) {
  Parser parser(role, limits);
  parser.expect_no_body(answers_head);
  std::string said;
  std::string body;
  bool failed = false;
  const auto tell = [&](Parser::Event event) {
    switch (event) {
      case Parser::Event::need_more:
      case Parser::Event::bare_head: break;
      case Parser::Event::head:
        said += role == Parser::Role::request
                    ? std::string(parser.head().method.text()) + ' ' + std::string(parser.head().target)
                    : std::to_string(parser.head().status);
        said += parser.head().keep_alive ? "" : " close";
        break;
      case Parser::Event::body: body += as_text(parser.body()); break;
      case Parser::Event::complete:
        said += " |" + body + "| ";
        body.clear();
        for (const Headers::Field& field : parser.trailers()) said += field.name + '=' + field.value + ' ';
        break;
      case Parser::Event::failed:
        failed = true;
        said += role == Parser::Role::request ? std::to_string(parser.error_status())
                                              : std::string(name(parser.error().code()));
    }
  };
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size() && !failed; ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : bytes.size();
    for (Parser::Step step{Parser::Event::head, 0}; !failed && step.event != Parser::Event::need_more;) {
      step = parser.feed(as_bytes(bytes.substr(begin, end - begin)));
      begin += step.consumed;
      const bool bare = step.event == Parser::Event::bare_head;
      tell(bare ? Parser::Event::head : step.event);
      if (bare) tell(Parser::Event::complete);
    }
  }
  if (!failed) tell(parser.finish());
  return said;
}

void check_everywhere(Parser::Role role, const test::ProtocolCase& c) {
  CAPTURE(c.what);
  const ParserLimits limits = c.small_limits ? test::small_limits() : ParserLimits();
  CHECK(told(role, c.bytes, {}, c.answers_head, limits) == c.expected);
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < c.bytes.size(); ++i) every.push_back(i);
  CHECK(told(role, c.bytes, every, c.answers_head, limits) == c.expected);
  for (const std::size_t cut : every) {
    if (told(role, c.bytes, {cut}, c.answers_head, limits) != c.expected)
      FAIL_CHECK("differs when cut at " << cut);
  }
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::size_t> cuts;
    for (const std::size_t cut : every) {
      if (random.one_in(5)) cuts.push_back(cut);
    }
    CHECK(told(role, c.bytes, cuts, c.answers_head, limits) == c.expected);
  }
}

}  // namespace

TEST_CASE("parser: requests that are well-formed, each with another one behind") {
  for (test::ProtocolCase c : test::read_protocol_cases(test::protocol_cases_text("requests"))) {
    if (!c.cut) {
      c.bytes += "GET /canary HTTP/1.1\r\nHost: h\r\n\r\n";
      c.expected += "GET /canary || ";
    }
    check_everywhere(Parser::Role::request, c);
  }
}

TEST_CASE("parser: requests that are refused, with another one behind that is never seen") {
  const std::vector<test::ProtocolCase> cases =
      test::read_protocol_cases(test::protocol_cases_text("refused_requests"));
  CHECK(cases.size() > 100);
  for (test::ProtocolCase c : cases) {
    if (!c.cut) c.bytes += "GET /canary HTTP/1.1\r\nHost: h\r\n\r\n";
    // Well-formed to the limit: then what is behind is a request again.
    if (c.expected.ends_with("| ")) c.expected += "GET /canary || ";
    check_everywhere(Parser::Role::request, c);
  }
}

TEST_CASE("parser: responses, each with another one behind") {
  for (test::ProtocolCase c : test::read_protocol_cases(test::protocol_cases_text("responses"))) {
    if (!c.cut) {
      c.bytes += "HTTP/1.1 404 Canary\r\nContent-Length: 0\r\n\r\n";
      if (c.expected.ends_with(' ')) c.expected += "404 || ";
    }
    check_everywhere(Parser::Role::response, c);
  }
}

TEST_CASE("writer: what it writes is read back; what may not be sent is refused") {
  Request request(Method::post(), *Url::parse("http://h:81/p?q"), Headers{{"X-A", "1"}}, "body");
  Output text;
  CHECK(*write_request_head(text, request, RequestOptions()) == Framing::length);
  CHECK(text.view() == "POST /p?q HTTP/1.1\r\nHost: h:81\r\nX-A: 1\r\nContent-Length: 4\r\n\r\n");
  const auto refused = [](Method method, Headers headers) {
    Output kept;
    kept += "kept";
    Request request(std::move(method), *Url::parse("http://h/"), std::move(headers), "body");
    const bool failed = !write_request_head(kept, request, RequestOptions());
    return failed && kept.view() == "kept";
  };
  CHECK(refused("GET", Headers{{"X", "a\r\nInjected: 1"}}));
  CHECK(refused("GET", Headers{{"X\r\n", "a"}}));
  CHECK(refused("GET", Headers{{"X", std::string_view("a\0b", 3)}}));
  CHECK(refused("G T", {}));
  CHECK(refused("", {}));
  CHECK(refused("POST", Headers{{"Content-Length", "5"}}));
  CHECK(refused("POST", Headers{{"Content-Length", "4"}, {"content-length", "5"}}));
  CHECK(!refused("POST", Headers{{"Content-Length", "4"}}));

  ResponseOptions options;
  options.minor_version = 0;
  text.clear();
  CHECK(*write_response_head(text, Response(200, "x"), options) == Framing::length);
  CHECK(text.view() == "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n");
  text.clear();
  ResponseOptions plain;
  CHECK(*write_response_head(text, Response(204), plain) == Framing::none);
  CHECK(text.view() == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(!write_response_head(text, Response(99), plain));
  CHECK(plain.keep_alive);
  text.clear();
  CHECK(*write_response_head(text, Response(204, Headers{{"connection", "a, Close"}}, {}), plain) ==
        Framing::none);
  CHECK(text.view() == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  CHECK(!plain.keep_alive);
}

TEST_CASE("parser: no control character in a value, whatever the field and wherever it stands") {
  for (const std::string name : {"X", "Connection", "Upgrade", "Proxy-Connection", "Expect", "Host"}) {
    for (const std::string filler : {"", "close", "0123456789abcdef0123456789"}) {
      for (int byte = 0; byte < 256; ++byte) {
        const bool control = (byte < ' ' && byte != '\t') || byte == 0x7f;
        const std::string value = filler + static_cast<char>(byte) + filler + "z";
        const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n" + name + ": a" + value + "\r\n\r\n";
        const std::string said = told(Parser::Role::request, head, {}, false, {});
        CAPTURE(name, filler, byte, said);
        if (control) REQUIRE(said.ends_with("400"));
        if (!control && name == "X") REQUIRE(said == "GET / || ");
      }
    }
  }
}

TEST_CASE("parser: a chunk that the limit has no room for is refused at its line") {
  const std::string head = "POST / HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n";
  ParserLimits limits;
  limits.body_bytes_max = 100;
  const auto status = [&](const std::string& body) {
    Parser parser(Parser::Role::request, limits);
    const std::string text = head + body;
    Bytes left = as_bytes(text);
    for (;;) {
      const Parser::Step step = parser.feed(left);
      left = left.subspan(step.consumed);
      if (step.event == Parser::Event::failed) return parser.error_status();
      if (step.event == Parser::Event::complete || step.event == Parser::Event::need_more) return 0;
    }
  };
  CHECK(status("64\r\n") == 0);
  CHECK(status("65\r\n") == 413);
  CHECK(status("FFFFFFFFFFFFFFFF\r\n") == 413);
  CHECK(status("FFFFFFFFFFFFFFFF;a=b\r\n") == 413);
  CHECK(status("1\r\na\r\nFFFFFFFFFFFFFFFF\r\n") == 413);
  CHECK(status("1\r\na\r\n63\r\n") == 0);
  CHECK(status("1\r\na\r\n64\r\n") == 413);
  CHECK(status("10000000000000000\r\n") == 400);
}

TEST_CASE("parser: chunk extensions are limited by the line, and in proportion to the content") {
  const std::string head = "POST / HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto status = [&](std::size_t chunks, std::size_t extension, std::size_t content) {
    std::string text = head;
    char size[17];
    std::snprintf(size, sizeof size, "%zx", content);
    for (std::size_t i = 0; i < chunks; ++i) {
      text += size + (";a=" + std::string(extension, 'e')) + "\r\n" + std::string(content, 'c') + "\r\n";
    }
    text += "0\r\n\r\n";
    Parser parser(Parser::Role::request, ParserLimits());
    Bytes left = as_bytes(text);
    for (;;) {
      const Parser::Step step = parser.feed(left);
      left = left.subspan(step.consumed);
      if (step.event == Parser::Event::failed) return parser.error_status();
      if (step.event == Parser::Event::complete) return 200;
      if (step.event == Parser::Event::need_more) return 0;
    }
  };
  CHECK(status(182, 90, 1) == 200);
  CHECK(status(183, 90, 10) == 200);
  CHECK(status(2'000, 90, 1'000) == 200);
  CHECK(status(10'000, 85, 65) == 200);
  CHECK(status(1, 4'000, 1) == 200);
  CHECK(status(1, 4'200, 1) == 400);
  CHECK(status(2'000, 90, 1) == 400);
  CHECK(status(5, 4'000, 100) == 400);
}

TEST_CASE("parser: interim responses are counted anew after a body that ended with the connection") {
  Parser parser(Parser::Role::response);
  for (int i = 0; i < 40; ++i) {
    std::string_view bytes = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody";
    for (Parser::Step step{Parser::Event::head, 0}; step.event != Parser::Event::need_more;) {
      step = parser.feed(as_bytes(bytes));
      REQUIRE(step.event != Parser::Event::failed);
      bytes.remove_prefix(step.consumed);
    }
    REQUIRE(parser.finish() == Parser::Event::complete);
  }
}
