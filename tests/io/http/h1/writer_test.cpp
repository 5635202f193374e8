// Messages that may not be sent by any caller: the check, and the heads that are written.
// tests/wasm_glue/glue_test.cpp has the same for a host's fetch() and a Worker's responses.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/h1/writer.h>

using namespace escapement;
using namespace escapement::http;

namespace {

Url url() { return *Url::parse("http://h/"); }

class Unknown final : public BodySource {
  Task<std::string> read() override { co_return std::string(); }
};

// "sent", or the failure; the check and the writer have to agree.
std::string sent(const Request& request) {
  Output out;
  const Result<Framing> written = write_request_head(out, request, RequestOptions());
  const Result<> checked = check_request(request);
  REQUIRE(static_cast<bool>(written) == static_cast<bool>(checked));
  if (written) return "sent";
  REQUIRE(out.empty());
  REQUIRE_FALSE(written.error().maybe_sent());
  REQUIRE(to_string(written.error()) == to_string(checked.error()));
  return to_string(written.error());
}

std::string sent(const Response& response, bool answers_head = false) {
  Output out;
  ResponseOptions options;
  options.answers_head = answers_head;
  const Result<Framing> written = write_response_head(out, response, options);
  const Result<> checked = check_response(response, answers_head);
  REQUIRE(static_cast<bool>(written) == static_cast<bool>(checked));
  if (written) return std::string(out.view());
  REQUIRE(out.empty());
  REQUIRE(to_string(written.error()) == to_string(checked.error()));
  return to_string(written.error());
}

bool names(const std::string& failure, std::string_view field) {
  return failure.starts_with("invalid_argument: ") && failure.find(field) != std::string::npos;
}

}  // namespace

TEST_CASE("writer: a field that may not be sent is named, whichever it is and wherever it stands") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string value = std::string("ab") + static_cast<char>(byte);
    const bool control = (byte < ' ' && byte != '\t') || byte == 0x7f;
    const Headers headers{{"First", "1"}, {"Authorization", value}, {"Last", "1"}};
    CAPTURE(byte);
    CHECK(names(sent(Request("GET", url(), headers)), "Authorization") == control);
    CHECK(names(sent(Response(200, headers, "x")), "Authorization") == control);
    Output interim;
    CHECK(static_cast<bool>(write_interim_head(interim, 103, headers)) != control);
  }
  CHECK(names(sent(Request("GET", url(), {{"a b", "1"}})), "\"a b\""));
  CHECK(names(sent(Request("GET", url(), {{"", "1"}})), "\"\""));
  CHECK(names(sent(Response(200, {{"a\r\nb", "1"}}, {})), "\"a\\x0d\\x0ab\""));
  CHECK(names(sent(Request("G\nT", url())), "the method \"G\\x0aT\""));
  CHECK(sent(Request("CONNECT", url())).starts_with("unsupported: "));
}

TEST_CASE("writer: a Content-Length is the body's, or the message is refused") {
  for (const char* length : {"2", "4", "-1", "+3", " 3", "3 ", "3x", "", "3,3", "18446744073709551619"}) {
    CAPTURE(length);
    CHECK(names(sent(Request("POST", url(), {{"Content-Length", length}}, "abc")), "Content-Length"));
    CHECK(names(sent(Response(200, {{"Content-Length", length}}, "abc")), "Content-Length"));
  }
  CHECK(sent(Request("POST", url(), {{"Content-Length", "3"}, {"content-length", "3"}}, "abc")) == "sent");
  CHECK(names(sent(Request("POST", url(), {{"Content-Length", "3"}, {"content-length", "4"}}, "abc")),
              "Content-Length"));
  CHECK(names(sent(Request("POST", url(), {{"Content-Length", "0"}}, Body(std::make_unique<Unknown>()))),
              "Content-Length"));
  CHECK(names(sent(Response(200, {{"Content-Length", "0"}}, Body(std::make_unique<Unknown>()))),
              "Content-Length"));
}

TEST_CASE("writer: a request without a body says so where its method usually has one") {
  const auto head = [](const char* method) {
    Output out;
    REQUIRE(write_request_head(out, Request(method, url()), RequestOptions()));
    return std::string(out.view());
  };
  for (const char* method : {"POST", "PUT", "PATCH"}) {
    CAPTURE(method);
    CHECK(head(method) == std::string(method) + " / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  }
  for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS", "patch"}) {
    CAPTURE(method);
    CHECK(head(method) == std::string(method) + " / HTTP/1.1\r\nHost: h\r\n\r\n");
  }
}

TEST_CASE("writer: the answer to HEAD states the length of a body that it does not have, if it is one") {
  CHECK(sent(Response(200, {{"Content-Length", "1000"}}, {}), true).find("Content-Length: 1000\r\n") !=
        std::string::npos);
  for (const char* length : {"abc", "-1", "", "1 1"}) {
    CHECK(names(sent(Response(200, {{"Content-Length", length}}, {}), true), "Content-Length"));
  }
  const Headers two{{"Content-Length", "1"}, {"Content-Length", "2"}};
  CHECK(names(sent(Response(200, two, {}), true), "Content-Length"));
  CHECK(sent(Response(204, {{"Content-Length", "1"}}, {}), true) == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(sent(Response(204, {{"Content-Length", "1"}}, {})) == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("writer: a Host is one, a coding is chunked, a status is final") {
  CHECK(sent(Request("GET", url(), {{"Host", "other:80"}})) == "sent");
  CHECK(sent(Request("GET", url(), {{"Host", "other"}, {"host", "other"}})) == "sent");
  CHECK(names(sent(Request("GET", url(), {{"Host", "other"}, {"Host", "h"}})), "Host"));
  for (const char* host : {"", "a b", "h/x", "user@h", "[::1", "h:x"}) {
    CHECK(names(sent(Request("GET", url(), {{"Host", host}})), "Host"));
  }
  CHECK(sent(Request("POST", url(), {{"Transfer-Encoding", "Chunked"}}, "x")) == "sent");
  CHECK(names(sent(Request("POST", url(), {{"Transfer-Encoding", "gzip, chunked"}}, "x")),
              "Transfer-Encoding"));
  CHECK(names(sent(Response(200, {{"Transfer-Encoding", "gzip"}}, "x")), "Transfer-Encoding"));
  for (const int status : {-1, 0, 99, 100, 101, 199, 600, 999, 1000}) {
    CHECK(sent(Response(status)).starts_with("invalid_argument: no final status"));
  }
  CHECK(sent(Response(599)).starts_with("HTTP/1.1 599 "));
}

TEST_CASE("writer: trailers that may not be sent are a failure, those that are framing are left out") {
  Output out;
  out += "kept";
  for (const Headers& trailers : {Headers{{"A", "1"}, {"X", "a\r\nb"}}, Headers{{"X Y", "1"}}}) {
    const Result<> written = write_last_chunk(out, trailers);
    REQUIRE_FALSE(written);
    CHECK(names(to_string(written.error()), "X"));
    CHECK(out.view() == "kept");
  }
  out.clear();
  REQUIRE(write_last_chunk(out, {{"Digest", "x"},
                                 {"Content-Length", "1"},
                                 {"Host", "h"},
                                 {"Transfer-Encoding", "gzip"},
                                 {"Connection", "close"}}));
  CHECK(out.view() == "0\r\nDigest: x\r\n\r\n");
}

TEST_CASE("writer: lengths and statuses of every number of digits") {
  for (const std::size_t length : {0u, 1u, 9u, 10u, 90u, 99u, 100u, 105u, 999u, 1'000u, 12'345u}) {
    const std::string text = sent(Response(200, std::string(length, 'x')));
    CHECK(text.find("\r\nContent-Length: " + std::to_string(length) + "\r\n") != text.npos);
  }
  for (const int status : {201, 299, 400, 404, 501, 599}) {
    CHECK(sent(Response(status)).starts_with("HTTP/1.1 " + std::to_string(status) + ' '));
  }
}
