// The parser on whole messages, byte by byte, at every split and at random ones.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/io/http/parser.h>
#include <escapement/io/http/writer.h>

using namespace escapement;
using namespace escapement::http;

namespace {

// What the parser says about bytes that come in pieces: "GET /a |body| end; 400".
std::string told(Parser::Role role, std::string_view bytes, const std::vector<std::size_t>& cuts,
                 bool answers_head, ParserLimits limits) {
  Parser parser(role, limits);
  parser.expect_no_body(answers_head);
  std::string said;
  std::string body;
  bool failed = false;
  const auto tell = [&](Parser::Event event) {
    switch (event) {
      case Parser::Event::need_more: break;
      case Parser::Event::head:
        said += role == Parser::Role::request ? parser.head().method + ' ' + parser.head().target
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
      tell(step.event);
    }
  }
  if (!failed) tell(parser.finish());
  return said;
}

struct Case {
  const char* what;
  std::string bytes;
  std::string expected;
  bool answers_head = false;
  ParserLimits limits = {};
};

void check_everywhere(Parser::Role role, const Case& c) {
  CAPTURE(c.what);
  REQUIRE(told(role, c.bytes, {}, c.answers_head, c.limits) == c.expected);
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < c.bytes.size(); ++i) every.push_back(i);
  CHECK(told(role, c.bytes, every, c.answers_head, c.limits) == c.expected);
  for (const std::size_t cut : every) {
    if (c.bytes.size() > 2'000) break;
    if (told(role, c.bytes, {cut}, c.answers_head, c.limits) != c.expected)
      FAIL("differs when cut at " << cut);
  }
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::size_t> cuts;
    for (const std::size_t cut : every) {
      if (random.one_in(5)) cuts.push_back(cut);
    }
    CHECK(told(role, c.bytes, cuts, c.answers_head, c.limits) == c.expected);
  }
}

const std::string host = "Host: h\r\n";
const std::string canary = "GET /canary HTTP/1.1\r\nHost: h\r\n\r\n";

ParserLimits small() {
  ParserLimits limits;
  limits.head_bytes_max = 200;
  limits.header_count_max = 3;
  limits.body_bytes_max = 10;
  return limits;
}

}  // namespace

TEST_CASE("parser: requests that are well-formed") {
  const std::vector<Case> cases{
      {"RFC 9112 2.1", "GET /a?b=c HTTP/1.1\r\n" + host + "\r\n", "GET /a?b=c || "},
      {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / close || "},
      {"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / || "},
      {"Connection: close in a list", "GET / HTTP/1.1\r\n" + host + "Connection: x, Close\r\n\r\n",
       "GET / close || "},
      {"any method that is a token", "PROPFIND-X /a HTTP/1.1\r\n" + host + "\r\n", "PROPFIND-X /a || "},
      {"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", "OPTIONS * || "},
      {"absolute form", "GET http://h/a HTTP/1.1\r\n" + host + "\r\n", "GET http://h/a || "},
      {"empty line before a request (RFC 9112 2.2)", "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", "GET / || "},
      {"Content-Length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", "POST / |hello| "},
      {"Content-Length 0", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", "POST / || "},
      {"chunked",
       "POST / HTTP/1.1\r\n" + host +
           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
       "POST / |abc0123456789| "},
      {"trailers",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\n\r\n",
       "POST / |a| T=v "},
      {"pipelined", canary + "POST /b HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nhi" + canary,
       "GET /canary || POST /b |hi| GET /canary || "},
      {"an offer to upgrade is read as if it were not there",
       "GET / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + canary,
       "GET / || GET /canary || "},
  };
  for (const Case& c : cases) check_everywhere(Parser::Role::request, c);
}

TEST_CASE("parser: requests that are refused, with a canary behind that is never seen") {
  const std::vector<Case> cases{
      {"no Host (RFC 9112 3.2)", "GET / HTTP/1.1\r\n\r\n", "400"},
      {"two Hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", "400"},
      {"a Host that is none", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
      {"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", "400"},
      {"TE and CL (RFC 9112 6.1)",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"CL and TE",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
       "400"},
      {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"TE: identity", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", "400"},
      {"TE: chunked twice",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400"},
      {"TE: gzip, chunked",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"TE with a vertical tab",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", "400"},
      {"CL twice, equal", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
       "400"},
      {"CL twice, different",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"CL list", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\na", "400"},
      {"CL signed", "POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\na", "400"},
      {"CL negative", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\na", "400"},
      {"CL hexadecimal", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x1\r\n\r\na", "400"},
      {"CL too large for 64 bits",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\na", "400"},
      {"CL empty", "POST / HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\na", "400"},
      {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", "400"},
      {"bare LF after a field", "GET / HTTP/1.1\r\nHost: h\n\r\n", "400"},
      {"bare CR", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", "400"},
      {"space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400"},
      {"obs-fold (RFC 9112 5.2)", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "400"},
      {"a field without a name", "GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", "400"},
      {"NUL in a value", std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 36), "400"},
      {"white space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400"},
      {"HTTP/2.0", "GET / HTTP/2.0\r\n" + host + "\r\n", "505"},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"HTTP/0.9", "GET /\r\n\r\n", "505"},
      {"no version", "GET / \r\n" + host + "\r\n", "400"},
      {"lower-case protocol", "GET / http/1.1\r\n" + host + "\r\n", "400"},
      {"two spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n", "400"},
      {"* for GET", "GET * HTTP/1.1\r\n" + host + "\r\n", "400"},
      {"CONNECT", "CONNECT h:80 HTTP/1.1\r\n" + host + "\r\n", "501"},
      {"a target that is no path", "GET a HTTP/1.1\r\n" + host + "\r\n", "400"},
      {"a fragment in the target", "GET /a#b HTTP/1.1\r\n" + host + "\r\n", "400"},
      {"a method that is no token", "G(T / HTTP/1.1\r\n" + host + "\r\n", "400"},
      {"garbage", "\x16\x03\x01\x02", "400"},
      {"a chunk size that is none",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "POST /400"},
      {"a signed chunk size",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", "POST /400"},
      {"a chunk size of 17 digits",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", "POST /400"},
      {"a chunk longer than its size",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "POST /400"},
      {"LF in a chunk extension",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n",
       "POST /400"},
      {"the end in the middle of a head", "GET / HTTP/1.1\r\nHo", "400"},
      {"the end in the middle of a body", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhel",
       "POST /400"},
      {"head too large", "GET / HTTP/1.1\r\n" + host + "X: " + std::string(300, 'x') + "\r\n\r\n", "431",
       false, small()},
      {"too many fields", "GET / HTTP/1.1\r\n" + host + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", "431", false,
       small()},
      {"target too long", "GET /" + std::string(300, 'x') + " HTTP/1.1\r\n" + host + "\r\n", "414", false,
       small()},
      {"CL over the limit", "POST / HTTP/1.1\r\n" + host + "Content-Length: 11\r\n\r\n", "413", false,
       small()},
      {"chunks over the limit",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
       "POST /413", false, small()},
      {"trailers too large",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nT: " + std::string(300, 't') +
           "\r\n\r\n",
       "POST /431", false, small()},
      {"extensions too large",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(300, 'e') +
           "\r\na\r\n0\r\n\r\n",
       "POST /400", false, small()},
  };
  for (Case c : cases) {
    const std::string_view what = c.what;
    if (!what.starts_with("the end")) c.bytes += canary;
    check_everywhere(Parser::Role::request, c);
  }
}

TEST_CASE("parser: responses") {
  const std::vector<Case> cases{
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 |hi| "},
      {"until the end", "HTTP/1.1 200 OK\r\n\r\nall of it", "200 close |all of it| "},
      {"no reason", "HTTP/1.1 204 \r\n\r\n", "204 || "},
      {"304 has no body whatever it says",
       "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
       "304 || 200 || "},
      {"the answer to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "200 || ", true},
      {"interim answers",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
       "OK\r\nContent-Length: 1\r\n\r\na",
       "100 || 103 || 200 |a| "},
      {"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "200reset"},
      {"cut in the chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "200reset"},
      {"cut in the head", "HTTP/1.1 200 OK\r\nContent", "reset"},
      {"garbage", "SSH-2.0-OpenSSH\r\n", "bad_message"},
      {"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "bad_message"},
      {"too many interim answers",
       [] {
         std::string s;
         for (int i = 0; i < 40; ++i) s += "HTTP/1.1 100 Continue\r\n\r\n";
         return s;
       }(),
       [] {
         std::string s;
         for (int i = 0; i < 32; ++i) s += "100 || ";
         return s + "100limit_exceeded";
       }()},
  };
  for (const Case& c : cases) check_everywhere(Parser::Role::response, c);
}

TEST_CASE("writer: what it writes is read back; what may not be sent is refused") {
  Request request(Method::post(), *Url::parse("http://h:81/p?q"), Headers{{"X-A", "1"}}, "body");
  std::string text;
  CHECK(*write_request_head(text, request, RequestOptions()) == Framing::length);
  CHECK(text == "POST /p?q HTTP/1.1\r\nHost: h:81\r\nX-A: 1\r\nContent-Length: 4\r\n\r\n");
  const auto refused = [](Method method, Headers headers) {
    std::string kept = "kept";
    Request request(std::move(method), *Url::parse("http://h/"), std::move(headers), "body");
    const bool failed = !write_request_head(kept, request, RequestOptions());
    return failed && kept == "kept";
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
  CHECK(text == "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n");
  text.clear();
  CHECK(*write_response_head(text, Response(204), ResponseOptions()) == Framing::none);
  CHECK(text == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(!write_response_head(text, Response(99), ResponseOptions()));
}
