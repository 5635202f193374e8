// Decompress: each coding against its library's own encoder, cut and damaged everywhere, and bombs.

#include <escapement/middleware/client/decompress.h>

#include <zlib.h>

#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::pieces;
using escapement::test::request;

namespace {

std::string encode(std::string_view plain, int window_bits) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string to(::deflateBound(&stream, plain.size()) + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(to.data());
  stream.avail_out = static_cast<uInt>(to.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  to.resize(to.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return to;
}
std::string gzip(std::string_view plain) { return encode(plain, 31); }
std::string zlib(std::string_view plain) { return encode(plain, 15); }
std::string raw(std::string_view plain) { return encode(plain, -15); }

// Text that compresses by about two.
std::string sample(std::size_t size) {
  Random random(1);
  std::string text;
  while (text.size() < size) text += static_cast<char>('a' + random.up_to(15));
  return text;
}

std::vector<std::string> cut(const std::string& bytes, std::size_t each) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < bytes.size(); at += each) parts.push_back(bytes.substr(at, each));
  return parts;
}

// The response to a call, whose body comes in parts.
Answer decoded(std::string coding, std::vector<std::string> parts, Decompress layer = {}, int status = 200,
               Request asked = get("http://h/")) {
  Sim sim;
  const Service origin = [&](Request) -> Task<Response> {
    Headers fields{{"Content-Encoding", coding}, {"Content-Length", "7"}, {"ETag", "\"1\""}};
    co_return Response(status, std::move(fields), pieces(parts));
  };
  return *sim.run(ask(layered(layer, origin), std::move(asked)));
}
Answer decoded(std::string coding, const std::string& bytes) {
  return decoded(std::move(coding), cut(bytes, 4096));
}

}  // namespace

TEST_CASE("decompress: gzip and deflate, with zlib's header and without, however they are cut") {
  for (const std::size_t size : {0UL, 1UL, 1000UL, 300'000UL}) {
    const std::string plain = sample(size);
    for (const std::size_t each : {1UL, 2UL, 7UL, 100'000UL}) {
      if (size > 1000 && each < 7) continue;
      CHECK(decoded("gzip", cut(gzip(plain), each)).body == plain);
      CHECK(decoded("x-gzip", cut(gzip(plain), each)).body == plain);
      CHECK(decoded("deflate", cut(zlib(plain), each)).body == plain);
      CHECK(decoded("Deflate", cut(raw(plain), each)).body == plain);
    }
  }
  CHECK(decoded("gzip", gzip("one, ") + gzip("two")).body == "one, two");
}

TEST_CASE("decompress: fields of the request and the response") {
  const Answer answer = decoded("gzip", gzip("x"));
  CHECK_FALSE(answer.headers.has("Content-Encoding"));
  CHECK_FALSE(answer.headers.has("Content-Length"));
  CHECK(answer.field("ETag") == "\"1\"");
  Sim sim;
  std::string asked;
  const Service origin = [&](Request incoming) -> Task<Response> {
    asked = incoming.headers.get_or("Accept-Encoding", "none");
    co_return Response(200, "x");
  };
  const Service service = layered(Decompress{}, origin);
  (void)sim.run(ask(service, get("http://h/")));
  CHECK(asked.starts_with("gzip, deflate"));
  (void)sim.run(ask(service, request("GET", "/", Headers{{"Accept-Encoding", "identity"}})));
  CHECK(asked == "identity");
  (void)sim.run(ask(service, request("GET", "/", Headers{{"Range", "bytes=0-1"}})));
  CHECK(asked == "none");
}

TEST_CASE("decompress: several codings, and what it leaves alone") {
  CHECK(decoded("deflate, gzip", gzip(zlib("x"))).body == "x");
  CHECK(decoded("identity, gzip,", gzip("x")).body == "x");
  const Answer unknown = decoded("gzip, aes128gcm", gzip("x"));
  CHECK(unknown.body == gzip("x"));
  CHECK(unknown.field("Content-Encoding") == "gzip, aes128gcm");
  CHECK(decoded("gzip, gzip, gzip, gzip", "x").body == "x");  // nobody does that in earnest
  CHECK(decoded("identity", "x").body == "x");
  CHECK(decoded("gzip", {"x"}, {}, 206).body == "x");
  CHECK(decoded("gzip", {}, {}, 200, request("HEAD", "/")).field("Content-Encoding") == "gzip");
  CHECK(
      decoded("gzip", {gzip("x")}, {}, 200, request("GET", "/", Headers{{"Accept-Encoding", "gzip"}})).body ==
      gzip("x"));
  CHECK(
      decoded("gzip", std::vector<std::string>{}).body.empty());  // a body that is empty is so in any coding
}

TEST_CASE("decompress: a body that ends early fails wherever it ends, and so does one that goes on") {
  for (const auto& [coding, bytes] : {std::pair<std::string, std::string>("gzip", gzip(sample(200))),
                                      {"deflate", zlib(sample(200))},
                                      {"deflate", raw(sample(200))}}) {
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      INFO(coding << ' ' << size);
      CHECK(decoded(coding, bytes.substr(0, size)).error.starts_with("bad_message"));
    }
    CHECK(decoded(coding, bytes + "x").error.starts_with("bad_message"));
  }
}

TEST_CASE("decompress: damaged data fail, or are as they were") {
  const std::string plain = sample(200);
  const std::string bytes = gzip(plain);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    const Answer answer = decoded("gzip", flipped);
    INFO(at);
    CHECK((answer.error.starts_with("bad_message") || answer.body == plain));
  }
  CHECK(decoded("gzip", "no gzip at all").error.starts_with("bad_message"));
}

TEST_CASE("decompress: bombs are stopped by their ratio and by their size") {
  const std::string zeros(8 * MiB, '\0');
  CHECK(decoded("gzip", gzip(zeros)).error.starts_with("limit_exceeded"));
  Decompress generous;
  generous.ratio_max = 2000;
  CHECK(decoded("gzip", cut(gzip(zeros), 4096), generous).body == zeros);
  generous.bytes_max = 4 * MiB;
  CHECK(decoded("gzip", cut(gzip(zeros), 4096), generous).error.starts_with("limit_exceeded"));
  CHECK(decoded("gzip", gzip(std::string(1 * MiB, '\0'))).body.size() == 1 * MiB);
  CHECK(decoded("gzip, gzip", gzip(gzip(zeros))).error.starts_with("limit_exceeded"));
}

TEST_CASE("decompress: decodes as it is read, not before") {
  Sim sim;
  const std::string plain = sample(100'000);
  int asked = 0;
  class Counted final : public BodySource {
   public:
    Counted(std::vector<std::string> parts, int& asked) : parts_(std::move(parts)), asked_(asked) {}
    Task<std::string> read() override {
      const std::size_t at = static_cast<std::size_t>(asked_++);
      co_return at < parts_.size() ? parts_[at] : std::string();
    }

   private:
    std::vector<std::string> parts_;
    int& asked_;
  };
  const Service origin = [&](Request) -> Task<Response> {
    co_return Response(200, Headers{{"Content-Encoding", "gzip"}},
                       Body(std::make_unique<Counted>(cut(gzip(plain), 1000), asked)));
  };
  const Service service = layered(Decompress{}, origin);
  auto read_one = [&]() -> Task<> {
    Response response = co_await service(get("http://h/"));
    CHECK(asked == 0);
    std::string bytes = co_await response.body.read();
    CHECK(plain.starts_with(bytes));
    CHECK(asked <= 2);
  };
  CHECK(sim.run(read_one()));
}

// The bytes come from the brotli and zstd programs.
TEST_CASE("decompress: br and zstd, where they are built in, and left alone otherwise") {
  const std::string br("\x1b\x09\x00\x00\xa4\x41\xca\xd0\xe8\x04\x29\xa1\x9d\xe4", 14);
  const std::string zstd(
      "\x28\xb5\x2f\xfd\x04\x58\x51\x00\x00\x74\x68\x65\x20\x61\x6e\x73\x77\x65\x72\x7f\x2f\xcd\xb2", 23);
  for (const auto& [coding, bytes] : {std::pair<std::string, std::string>("br", br), {"zstd", zstd}}) {
    INFO(coding);
    Sim sim;
    std::string asked;
    const Service look = [&](Request incoming) -> Task<Response> {
      asked = incoming.headers.get_or("Accept-Encoding", "none");
      co_return Response(200);
    };
    (void)sim.run(ask(layered(Decompress{}, look), get("http://h/")));
    if (!list_contains(asked, coding)) {
      CHECK(decoded(coding, bytes).body == bytes);
      continue;
    }
    for (std::size_t each = 1; each <= bytes.size(); ++each) {
      CHECK(decoded(coding, cut(bytes, each)).body == "the answer");
    }
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      CHECK(decoded(coding, bytes.substr(0, size)).error.starts_with("bad_message"));
    }
    CHECK(decoded(coding, bytes + "x").error.starts_with("bad_message"));
    CHECK(decoded(coding, "neither of them").error.starts_with("bad_message"));
  }
}
