#include <zlib.h>

#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/server/compress.h>
#include <escapement/middleware/server/event_stream.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::pieces;
using escapement::test::request;

namespace {

// Reads a gzip stream as it comes in.
class Gunzip {
 public:
  Gunzip() { REQUIRE(::inflateInit2(&stream_, 15 + 16) == Z_OK); }
  Gunzip(const Gunzip&) = delete;
  ~Gunzip() { ::inflateEnd(&stream_); }
  std::string decode(const std::string& bytes) {
    std::string text;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (stream_.avail_in > 0 && !ended_) {
      std::string room(100'000, '\0');
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      const int outcome = ::inflate(&stream_, Z_SYNC_FLUSH);
      REQUIRE((outcome == Z_OK || outcome == Z_STREAM_END));
      ended_ = outcome == Z_STREAM_END;
      text += room.substr(0, room.size() - stream_.avail_out);
    }
    return text;
  }
  bool ended() const { return ended_; }

 private:
  z_stream stream_{};
  bool ended_ = false;
};

std::string gunzip(const std::string& bytes) {
  Gunzip gunzip;
  std::string text = gunzip.decode(bytes);
  CHECK(gunzip.ended());
  return text;
}

std::string long_text(std::size_t size) {
  std::string text;
  while (text.size() < size) text += "line " + std::to_string(text.size() * 7919 % 100'003) + '\n';
  text.resize(size);
  return text;
}

// Responds with `headers` and what `body` makes.
Service answering(int status, Headers headers, std::function<Body()> body) {
  return [=](Request) -> Task<Response> { co_return Response(status, headers, body()); };
}

Answer ask(const Service& service, Headers headers = Headers{{"Accept-Encoding", "gzip"}},
           const char* method = "GET") {
  Sim sim;
  return *sim.run(test::ask(layered(Compress{}, service), request(method, "/", std::move(headers))));
}

const Headers text_plain{{"Content-Type", "text/plain"}, {"ETag", "\"e\""}, {"Accept-Ranges", "bytes"}};

}  // namespace

TEST_CASE("compress: short, long, streamed and large bodies come back whole") {
  for (const std::size_t size : {1'024u, 32'768u, 32'769u, 1'000'000u}) {
    CAPTURE(size);
    const std::string text = long_text(size);
    const Answer answer = ask(answering(200, text_plain, [=] { return Body(text); }));
    CHECK(answer.field("content-encoding") == "gzip");
    CHECK(answer.field("vary") == "Accept-Encoding");
    CHECK(answer.field("etag") == "W/\"e\"");
    CHECK(!answer.headers.has("accept-ranges"));
    CHECK(answer.body.size() < size / 2);
    CHECK(gunzip(answer.body) == text);
  }
  const Answer streamed =
      ask(answering(200, text_plain, [] { return pieces({"a", long_text(100'000), "b"}); }));
  CHECK(gunzip(streamed.body) == "a" + long_text(100'000) + "b");
  const Answer empty = ask(answering(200, text_plain, [] { return pieces({}); }));
  CHECK(gunzip(empty.body).empty());
}

TEST_CASE("compress: a 304 shows the ETag that its 200 showed") {
  const Service unchanged = answering(304, Headers{{"ETag", "\"e\""}}, [] { return Body(); });
  const auto etag = [&](const char* accepted, const char* named, const char* method = "GET") {
    Headers headers{{"Accept-Encoding", accepted}};
    headers.add("If-None-Match", named);
    return ask(unchanged, std::move(headers), method).field("etag");
  };
  for (const char* method : {"GET", "HEAD"}) {
    CHECK(etag("gzip", "W/\"e\"", method) == "W/\"e\"");
    CHECK(etag("gzip", "\"x\", W/\"e\", \"e\"", method) == "W/\"e\"");
    CHECK(etag("gzip", "\"e\"", method) == "\"e\"");
    CHECK(etag("gzip", "*", method) == "\"e\"");
    CHECK(etag("identity", "W/\"e\"", method) == "\"e\"");
    CHECK(etag("gzip;q=0", "W/\"e\"", method) == "\"e\"");
  }
  const Service weak = answering(304, Headers{{"ETag", "W/\"e\""}}, [] { return Body(); });
  CHECK(ask(weak, Headers{{"Accept-Encoding", "gzip"}, {"If-None-Match", "W/\"e\""}}).field("etag") ==
        "W/\"e\"");
}

TEST_CASE("compress: a 304 by date alone shows the ETag that its 200 shows") {
  struct Row {
    const char* what;
    const char* type;
    std::size_t size;
    const char* accepted;
    const char* etag;
  };
  const Row rows[] = {
      {"a text", "text/plain", 5'000, "gzip", "W/\"e\""},
      {"a text for a client without gzip", "text/plain", 5'000, "identity", "\"e\""},
      {"a short text", "text/plain", 100, "gzip", "\"e\""},
      {"an image", "image/png", 5'000, "gzip", "\"e\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    int calls = 0;
    const Service service = [&row, &calls](Request request) -> Task<Response> {
      ++calls;
      const bool unchanged = request.headers.has("if-modified-since");
      Response response(unchanged ? 304 : 200, unchanged ? Body() : Body(long_text(row.size)));
      response.headers.add("ETag", "\"e\"");
      if (!unchanged) response.headers.add("Content-Type", row.type);
      co_return std::move(response);
    };
    for (const char* method : {"GET", "HEAD"}) {
      Headers headers{{"Accept-Encoding", row.accepted}, {"Range", "bytes=0-1"}};
      const Answer whole = ask(service, headers, method);
      CHECK(whole.field("etag") == row.etag);
      calls = 0;
      headers.add("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT");
      const Answer unchanged = ask(service, headers, method);
      CHECK(unchanged.status == 304);
      CHECK(unchanged.field("etag") == row.etag);
      CHECK(unchanged.body.empty());
      CHECK(calls == (row.accepted == std::string("gzip") ? 2 : 1));
      calls = 0;
      headers.add("If-None-Match", "\"e\"");  // it says which it holds
      CHECK(ask(service, headers, method).field("etag") == "\"e\"");
      CHECK(calls == 1);
    }
  }
}

TEST_CASE("compress: what is left as it is, and whether it says that it could have been otherwise") {
  struct Row {
    const char* what;
    int status;
    Headers headers;
    std::size_t size;
    bool varies;
  };
  const std::vector<Row> rows{
      {"short", 200, {{"Content-Type", "text/plain"}}, 1023, true},
      {"an image", 200, {{"Content-Type", "image/png"}}, 5000, false},
      {"no type", 200, {}, 5000, false},
      {"encoded", 200, {{"Content-Type", "text/plain"}, {"Content-Encoding", "br"}}, 5000, false},
      {"a part", 206, {{"Content-Type", "text/plain"}, {"Content-Range", "bytes 0-1/2"}}, 5000, true},
      {"a part of an image", 206, {{"Content-Type", "image/png"}}, 5000, false},
      {"no-transform",
       200,
       {{"Content-Type", "text/plain"}, {"Cache-Control", "public, no-transform"}},
       5000,
       false},
      {"unchanged", 304, {{"ETag", "\"e\""}}, 0, true},
      {"unchanged, by date", 304, {{"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}, 0, true},
      {"empty", 200, {{"Content-Type", "text/plain"}}, 0, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Answer answer = ask(answering(row.status, row.headers, [&] { return Body(long_text(row.size)); }));
    CHECK(answer.field("content-encoding") == std::string(row.headers.get_or("content-encoding", "")));
    CHECK(answer.body == long_text(row.size));
    CHECK(answer.headers.has("vary") == row.varies);
  }
  const Service service = answering(200, text_plain, [] { return Body(long_text(5'000)); });
  const Answer plain = ask(service, {});
  CHECK(plain.body == long_text(5'000));
  CHECK(plain.field("vary") == "Accept-Encoding");
  CHECK(plain.field("etag") == "\"e\"");
  const Service varies =
      answering(200, Headers{{"Content-Type", "text/plain"}, {"Vary", "Origin, accept-encoding"}},
                [] { return Body(long_text(5'000)); });
  CHECK(ask(varies).headers.count("vary") == 1);
  CHECK(!ask(answering(200, text_plain, [] { return pieces({"x"}, {}, true); })).error.empty());
}

TEST_CASE("compress: Accept-Encoding as a table") {
  const std::string text = long_text(5'000);
  const std::pair<const char*, bool> rows[] = {
      {"gzip", true},
      {"GZIP", true},
      {"x-gzip", true},
      {"deflate, gzip;q=0.5, br", true},
      {"gzip;q=0", false},
      {"gzip; q=0.000", false},
      {"gzip;q=0.001", true},
      {"*", true},
      {"*;q=0", false},
      {"*;q=0, gzip", true},
      {"br", false},
      {"", false},
      {"identity", false},
      {"identity;q=1, gzip;q=0.5", false},
      {"identity;q=0.5, gzip;q=1", true},
      {"identity;q=0.5, gzip;q=0.5", true},
      {"gzip, identity", true},
      {"gzip;q=2", false},
      {"gzip;q=x", false},
      {"gzip;level=1", false},
      {"gzipped", false},
  };
  for (const auto& [accept, compressed] : rows) {
    CAPTURE(accept);
    const Answer answer =
        ask(answering(200, text_plain, [=] { return Body(text); }), Headers{{"Accept-Encoding", accept}});
    CHECK(answer.headers.has("content-encoding") == compressed);
  }
  const Service small = answering(200, text_plain, [] { return Body("small"); });
  const Answer required = ask(small, Headers{{"Accept-Encoding", "gzip, identity;q=0"}});
  CHECK(gunzip(required.body) == "small");
}

TEST_CASE("compress: every piece of a stream can be read when it has come") {
  const auto run = [](const Service& service, Request asking, std::vector<std::string> pieces) -> Task<> {
    Response response = co_await service(std::move(asking));
    Gunzip gunzip;
    for (const std::string& expected : pieces) {
      std::string bytes = co_await response.body.read();
      CHECK(gunzip.decode(bytes) == expected);
    }
    std::string last = co_await response.body.read();
    CHECK(gunzip.decode(last).empty());
    CHECK(gunzip.ended());
    std::string end = co_await response.body.read();
    CHECK(end.empty());
  };
  const Service events = [](Request) -> Task<Response> {
    auto count = std::make_shared<int>(0);
    co_return event_stream([count]() -> Task<std::optional<ServerEvent>> {
      co_await sleep(1s);
      std::optional<ServerEvent> event;
      if (*count < 3) event.emplace(std::to_string((*count)++));
      co_return std::move(event);
    });
  };
  Sim sim;
  const Service service = layered(Compress{}, events);
  Request asking = request("GET", "/", Headers{{"Accept-Encoding", "gzip"}});
  CHECK(sim.run(run(service, std::move(asking), {":\n\n", "data: 0\n\n", "data: 1\n\n", "data: 2\n\n"})));
  CHECK(sim.elapsed() == 4s);
}

TEST_CASE("compress: the number of streams under way is bounded") {
  Compress compress;
  compress.streams_max = 2;
  const Service service = layered(compress, answering(200, text_plain, [] { return pieces({"a"}); }));
  Sim sim;
  const auto begin = [&] {
    return *sim.run(service(request("GET", "/", Headers{{"Accept-Encoding", "gzip"}})));
  };
  std::optional<Response> first(begin());
  Response second = begin();
  CHECK(second.headers.has("content-encoding"));
  CHECK(!begin().headers.has("content-encoding"));
  first.reset();
  CHECK(begin().headers.has("content-encoding"));
}

TEST_CASE("compress: what the plain body held lives as long as the compressed one") {
  class Flag final : public BodyAttachment {
   public:
    explicit Flag(bool& gone) : gone_(gone) {}
    ~Flag() override { gone_ = true; }

   private:
    bool& gone_;
  };
  for (const std::size_t size : {2'000, 200'000}) {
    bool gone = false;
    const Service service = [&](Request) -> Task<Response> {
      Response response(200, text_plain, long_text(size));
      response.body.attach(std::make_unique<Flag>(gone));
      co_return std::move(response);
    };
    Sim sim;
    Response response =
        *sim.run(layered(Compress{}, service)(request("GET", "/", Headers{{"Accept-Encoding", "gzip"}})));
    CHECK(response.headers.has("content-encoding"));
    CHECK(!gone);
    response.body = Body();
    CHECK(gone);
  }
}

TEST_CASE("compress: a stream that computes gives way within a millisecond, also where little comes out") {
  class Computes final : public BodySource {
   public:
    explicit Computes(Sim& sim) : sim_(sim) {}
    Task<std::string> read() override {
      sim_.backend().freeze(200us);
      co_return std::string(left_-- > 0 ? 8 * KiB : 0, 'x');
    }

   private:
    Sim& sim_;
    int left_ = 500;
  };
  struct Longest final : TurnWatcher {
    void turn_ended(const Turn& turn) override { length = std::max(length, turn.length); }
    Duration length;
  } longest;
  Sim sim;
  sim.reactor().watch_turns(&longest);
  const Service service =
      layered(Compress{}, answering(200, text_plain, [&] { return Body(std::make_unique<Computes>(sim)); }));
  const Answer answer =
      *sim.run(test::ask(service, request("GET", "/", Headers{{"Accept-Encoding", "gzip"}})));
  CHECK(gunzip(answer.body) == std::string(500 * 8 * KiB, 'x'));
  CHECK(longest.length <= 1ms);
}

namespace {

// One piece of unknown length, and a field behind it.
class Trailed final : public BodySource {
 public:
  Task<std::string> read() override { co_return std::exchange(piece_, {}); }
  Headers trailers() override { return Headers{{"Digest", "1"}}; }

 private:
  std::string piece_ = long_text(5'000);
};

}  // namespace

TEST_CASE("compress: the fields behind a body stay behind it") {
  const auto digest = [](const Service& service, Request asking) -> Task<std::string> {
    Response response = co_await service(std::move(asking));
    std::string bytes = co_await response.body.text(1 * MiB);
    CHECK(gunzip(bytes) == long_text(5'000));
    co_return std::string(response.body.trailers().get_or("digest", "none"));
  };
  Sim sim;
  const Service service = answering(200, text_plain, [] { return Body(std::make_unique<Trailed>()); });
  Request asking = request("GET", "/", Headers{{"Accept-Encoding", "gzip"}});
  CHECK(*sim.run(digest(layered(Compress{}, service), std::move(asking))) == "1");
}
