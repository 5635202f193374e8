// Preconditions, ranges and content types: pure functions, as tables.

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/files/byte_ranges.h>
#include <escapement/middleware/files/conditional.h>
#include <escapement/middleware/files/content_type.h>

using namespace escapement;
using namespace escapement::http;

namespace {

const SystemTime changed = *SystemTime::parse_rfc3339("2026-01-10T10:00:00.700Z");
const SystemTime now = *SystemTime::parse_rfc3339("2026-01-11T00:00:00Z");
constexpr const char* at_change = "Sat, 10 Jan 2026 10:00:00 GMT";
constexpr const char* before = "Sat, 10 Jan 2026 09:59:59 GMT";
constexpr const char* after = "Sat, 10 Jan 2026 10:00:01 GMT";

Request request(const char* method, Headers headers) {
  return Request(method, *Url::parse("http://h/"), std::move(headers));
}

std::string ranges(std::string_view value, std::uint64_t size, std::size_t most = 4) {
  const ByteRanges wanted = parse_byte_ranges(value, size, most);
  if (wanted.kind == ByteRanges::Kind::whole) return "whole";
  std::string text;
  for (const ByteRange& range : wanted.ranges) {
    text += std::to_string(range.first) + '+' + std::to_string(range.length) + ' ';
  }
  return text;
}

}  // namespace

TEST_CASE("conditional: the order and meaning of the preconditions") {
  struct Row {
    const char* what;
    const char* method;
    Headers headers;
    Precondition expected;
  };
  const Precondition holds = Precondition::holds;
  const Precondition failed = Precondition::failed;
  const Precondition same = Precondition::not_modified;
  const std::vector<Row> rows{
      {"none", "GET", {}, holds},
      {"If-Match, the tag", "PUT", {{"If-Match", "\"x\", \"e\""}}, holds},
      {"If-Match, another", "GET", {{"If-Match", "\"x\""}}, failed},
      {"If-Match, weak", "GET", {{"If-Match", "W/\"e\""}}, failed},
      {"If-Match, any", "GET", {{"If-Match", "*"}}, holds},
      {"If-Match wins", "GET", {{"If-Match", "\"e\""}, {"If-Unmodified-Since", before}}, holds},
      {"If-Unmodified-Since, same", "GET", {{"If-Unmodified-Since", at_change}}, holds},
      {"If-Unmodified-Since, before", "GET", {{"If-Unmodified-Since", before}}, failed},
      {"If-Unmodified-Since, no date", "GET", {{"If-Unmodified-Since", "x"}}, holds},
      {"If-None-Match, the tag", "GET", {{"If-None-Match", "\"e\""}}, same},
      {"If-None-Match, weak", "HEAD", {{"If-None-Match", "W/\"e\""}}, same},
      {"If-None-Match, on several lines",
       "GET",
       {{"If-None-Match", "\"a,b\""}, {"If-None-Match", "\"e\""}},
       same},
      {"If-None-Match, to write", "PUT", {{"If-None-Match", "\"e\""}}, failed},
      {"If-None-Match, any", "PUT", {{"If-None-Match", "*"}}, failed},
      {"If-None-Match, another", "GET", {{"If-None-Match", "\"x\""}}, holds},
      {"If-None-Match wins", "GET", {{"If-None-Match", "\"x\""}, {"If-Modified-Since", after}}, holds},
      {"If-Modified-Since, same", "GET", {{"If-Modified-Since", at_change}}, same},
      {"If-Modified-Since, after", "HEAD", {{"If-Modified-Since", after}}, same},
      {"If-Modified-Since, before", "GET", {{"If-Modified-Since", before}}, holds},
      {"If-Modified-Since, to write", "POST", {{"If-Modified-Since", after}}, holds},
      {"If-Modified-Since, no date", "GET", {{"If-Modified-Since", "yesterday"}}, holds},
      {"both kinds", "GET", {{"If-Match", "\"e\""}, {"If-None-Match", "\"e\""}}, same},
  };
  const Validators validators("\"e\"", changed);
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(evaluate(request(row.method, row.headers), validators, now) == row.expected);
  }
}

TEST_CASE("conditional: lists of tags") {
  CHECK(etag_list_matches(" , \"a\" ,, W/\"e\"", "\"e\"", true));
  CHECK(etag_list_matches("\"a\"\t,\t\"e\"", "\"e\"", false));
  CHECK(!etag_list_matches("\"a\" \"e\"", "\"e\"", true));
  CHECK(!etag_list_matches("e", "\"e\"", true));
  CHECK(!etag_list_matches("\"e", "\"e\"", true));
  CHECK(!etag_list_matches("", "\"e\"", true));
  CHECK(!etag_list_matches("w/\"e\"", "\"e\"", true));
}

TEST_CASE("conditional: If-Range wants the same bytes for certain") {
  const Validators validators("\"e\"", changed);
  const auto holds = [&](const char* value, SystemTime at = now) {
    return if_range_holds(request("GET", Headers{{"If-Range", value}}), validators, at);
  };
  CHECK(if_range_holds(request("GET", {}), validators, now));
  CHECK(holds("\"e\""));
  CHECK(!holds("W/\"e\""));
  CHECK(!holds("\"x\""));
  CHECK(holds(at_change));
  CHECK(!holds(after));
  CHECK(!holds(at_change, changed));  // changed in this very second: it may change again
  CHECK(
      !if_range_holds(request("GET", Headers{{"If-Range", "W/\"e\""}}), Validators("W/\"e\"", changed), now));
}

TEST_CASE("byte ranges: the table of RFC 9110 section 14, and what is ignored") {
  CHECK(ranges("bytes=0-0", 10) == "0+1 ");
  CHECK(ranges("Bytes=2-5", 10) == "2+4 ");
  CHECK(ranges("bytes=5-", 10) == "5+5 ");
  CHECK(ranges("bytes=5-99999999999999999999999", 10) == "5+5 ");
  CHECK(ranges("bytes=-3", 10) == "7+3 ");
  CHECK(ranges("bytes=-30", 10) == "0+10 ");
  CHECK(ranges("bytes=7-8, 0-1 ,,-1", 10) == "7+2 0+2 9+1 ");
  CHECK(ranges("bytes=20-30,1-1", 10) == "1+1 ");
  CHECK(ranges("bytes=0-0,1-1,2-2,3-3", 10) == "0+1 1+1 2+1 3+1 ");  // as many as are allowed
  CHECK(ranges("bytes=0-4,5-9", 10) == "0+5 5+5 ");                  // as much as there is
  for (const char* unsatisfiable :
       {"bytes=10-", "bytes=20-30,40-", "bytes=-0", "bytes=99999999999999999999999-"}) {
    CHECK(parse_byte_ranges(unsatisfiable, 10, 4).kind == ByteRanges::Kind::unsatisfiable);
  }
  CHECK(parse_byte_ranges("bytes=0-", 0, 4).kind == ByteRanges::Kind::unsatisfiable);
  for (const char* ignored : {"", "bytes", "bytes=", "bytes=,", "bytes=5", "bytes=5-4", "bytes=a-b",
                              "bytes=+1-2", "bytes=1 - 2", "bytes=--1", "lines=0-1", "bytes=0-0,x",
                              "bytes=0-9,0-9", "bytes=0-0,1-1,2-2,3-3,4-4", "bytes=-", "bytes=1-2-3"}) {
    CAPTURE(ignored);
    CHECK(ranges(ignored, 10) == "whole");
  }
}

TEST_CASE("content types: by extension, and which are worth compressing") {
  CHECK(content_type_of("a/index.HTML") == "text/html; charset=utf-8");
  CHECK(content_type_of("x.tar.gz") == "application/gzip");
  CHECK(content_type_of("aac.aac") == "audio/aac");
  CHECK(content_type_of("z.zst") == "application/zstd");
  for (const char* unknown : {"", "README", ".", "a.b/c", "x.unknown", "x."}) {
    CHECK(content_type_of(unknown) == "application/octet-stream");
  }
  for (const char* yes : {"text/html; charset=utf-8", "application/json", "application/problem+json",
                          "image/svg+xml", "Application/JSON ;x=y", "text/event-stream"}) {
    CHECK(is_compressible(yes));
  }
  for (const char* no : {"", "image/png", "application/octet-stream", "application/gzip", "video/mp4"}) {
    CHECK(!is_compressible(no));
  }
}
