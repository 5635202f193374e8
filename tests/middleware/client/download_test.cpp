// download: complete files only, continued after breaks and by later calls, never mixed from two versions.

#include <escapement/middleware/client/download.h>

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/detail/number.h>
#include <escapement/io/native/loop.h>

#include "support/answers.h"
#include "support/scratch_folder.h"

using namespace escapement;
using namespace escapement::http;

namespace {

// A folder of the test's own.
class Folder {
 public:
  std::string file(const std::string& name) const { return scratch_.path(name); }
  std::string read(const std::string& name) const {
    std::ifstream in(file(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(file(name)) << text; }
  bool has(const std::string& name) const { return std::filesystem::exists(file(name)); }

 private:
  test::ScratchFolder scratch_;
};

// A server of one file, which breaks off after `break_after` bytes, `breaks` times.
struct Origin {
  std::string content = "0123456789";
  std::string etag = "\"v1\"";
  std::size_t break_after = std::string::npos;
  int breaks = 0;
  bool ranges = true;
  std::vector<std::string> asked;  // "Range If-Range"

  Task<Response> serve(Request request) {
    const std::string range(request.headers.get_or("Range", "-"));
    const std::string condition(request.headers.get_or("If-Range", "-"));
    asked.push_back(range + ' ' + condition);
    std::size_t first = 0;
    if (ranges && range.starts_with("bytes=") && condition == etag) {
      first = static_cast<std::size_t>(*parse_number<std::uint64_t>(range.substr(6, range.size() - 7)));
    }
    Headers headers{{"ETag", etag}};
    if (first >= content.size()) {
      headers.set("Content-Range", "bytes */" + std::to_string(content.size()));
      co_return Response(416, std::move(headers), "no");
    }
    std::string rest = content.substr(first);
    const bool broken = breaks > 0 && rest.size() > break_after;
    if (broken) rest.resize(break_after);
    if (broken) --breaks;
    if (first > 0) {
      headers.set("Content-Range", "bytes " + std::to_string(first) + '-' +
                                       std::to_string(content.size() - 1) + '/' +
                                       std::to_string(content.size()));
    }
    std::vector<std::string> pieces;
    for (const char c : rest) pieces.push_back(std::string(1, c));
    Body body = escapement::test::pieces(std::move(pieces), {}, broken);
    co_return Response(first > 0 ? 206 : 200, std::move(headers), std::move(body));
  }
};

// A body that says a length, and breaks before it.
class Sized final : public BodySource {
 public:
  Sized(std::string bytes, std::uint64_t length) : bytes_(std::move(bytes)), length_(length) {}
  Task<std::string> read() override {
    if (bytes_.empty()) co_return Error(Errc::reset, "broken");
    co_return std::exchange(bytes_, std::string());
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::string bytes_;
  std::uint64_t length_;
};

struct Fixture {
  Loop loop;
  ThreadPool pool;
  Folder folder;
  Origin origin;

  Result<Downloaded> run(DownloadOptions options = DownloadOptions(), Request request = get("http://h/f")) {
    options.pause = 1ms;
    const Service service = [this](Request asked) { return origin.serve(std::move(asked)); };
    return loop.run(download(service, std::move(request), pool, folder.file("f"), std::move(options)));
  }
};

}  // namespace

TEST_CASE("download: a file, with progress, and nothing beside it") {
  Fixture at;
  std::vector<std::uint64_t> seen;
  DownloadOptions options;
  options.progress = [&](const DownloadProgress& progress) { seen.push_back(progress.bytes); };
  const Result<Downloaded> done = at.run(options);
  REQUIRE(done);
  CHECK(done->bytes == 10);
  CHECK(at.folder.read("f") == "0123456789");
  CHECK(seen == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK_FALSE(at.folder.has("f.part"));
  CHECK_FALSE(at.folder.has("f.part.from"));
  at.origin.content = "";
  at.origin.content = "new";
  CHECK(at.run());
  CHECK(at.folder.read("f") == "new");
}

TEST_CASE("download: bodies that break off are continued where they broke") {
  Fixture at;
  at.origin.break_after = 3;
  at.origin.breaks = 3;
  const Result<Downloaded> done = at.run();
  REQUIRE(done);
  CHECK(at.folder.read("f") == "0123456789");
  CHECK(done->continuations == 3);
  CHECK(at.origin.asked ==
        std::vector<std::string>{"- -", "bytes=3- \"v1\"", "bytes=6- \"v1\"", "bytes=9- \"v1\""});
}

TEST_CASE("download: a later call goes on with what an earlier one left") {
  Fixture at;
  at.folder.write("f", "old");
  at.origin.break_after = 4;
  at.origin.breaks = 1;
  DownloadOptions once;
  once.continuations_max = 0;
  CHECK(at.run(once).error() == Errc::reset);
  CHECK(at.folder.read("f") == "old");
  CHECK(at.folder.read("f.part") == "0123");
  SECTION("of the same version") {
    const Result<Downloaded> done = at.run(once);
    REQUIRE(done);
    CHECK(done->resumed == 4);
    CHECK(at.folder.read("f") == "0123456789");
    CHECK(at.origin.asked.back() == "bytes=4- \"v1\"");
  }
  SECTION("of another version, anew") {
    at.origin.content = "abcdefghij";
    at.origin.etag = "\"v2\"";
    const Result<Downloaded> done = at.run(once);
    REQUIRE(done);
    CHECK(done->resumed == 0);
    CHECK(at.folder.read("f") == "abcdefghij");
  }
  SECTION("of another URL, anew") {
    CHECK(at.run(once, get("http://h/g")));
    CHECK(at.origin.asked.back() == "- -");
  }
  SECTION("anew if the caller says so") {
    once.resume = false;
    CHECK(at.run(once));
    CHECK(at.origin.asked.back() == "- -");
    CHECK(at.folder.read("f") == "0123456789");
  }
  SECTION("that was all of it but for the name") {
    at.folder.write("f.part", "0123456789");
    const Result<Downloaded> done = at.run(once);
    REQUIRE(done);
    CHECK(at.folder.read("f") == "0123456789");
  }
  SECTION("that is longer than the file is") {
    at.folder.write("f.part", "0123456789 and more");
    CHECK(at.run(once));
    CHECK(at.folder.read("f") == "0123456789");
  }
}

TEST_CASE("download: without a strong validator nothing is continued") {
  Fixture at;
  at.origin.etag = "W/\"v1\"";
  at.origin.break_after = 4;
  at.origin.breaks = 1;
  CHECK(at.run().error() == Errc::reset);
  CHECK(at.origin.asked.size() == 1);
  CHECK(at.run());
  CHECK(at.origin.asked.back() == "- -");
}

TEST_CASE("download: a server without ranges begins anew") {
  Fixture at;
  at.origin.ranges = false;
  at.origin.break_after = 4;
  at.origin.breaks = 2;
  CHECK(at.run());
  CHECK(at.folder.read("f") == "0123456789");
}

TEST_CASE("download: limits and mistakes") {
  Fixture at;
  DownloadOptions options;
  options.bytes_max = 9;
  CHECK(at.run(options).error() == Errc::limit_exceeded);
  options.bytes_max = 10;
  CHECK(at.run(options));
  CHECK(at.run({}, Request("POST", *Url::parse("http://h/f"), {}, "x")).error() == Errc::invalid_argument);
  const Service missing = [](Request) -> Task<Response> { co_return Response(404, "gone"); };
  const Result<Downloaded> none =
      at.loop.run(download(missing, get("http://h/f"), at.pool, at.folder.file("n")));
  CHECK(none.error() == Errc::not_found);
  CHECK_FALSE(at.folder.has("n"));
  const Service service = [&](Request asked) { return at.origin.serve(std::move(asked)); };
  CHECK_FALSE(at.loop.run(download(service, get("http://h/f"), at.pool, "/nowhere/f")));
}

TEST_CASE("download: a length that is known stays so where a later range does not name it") {
  Fixture at;
  int calls = 0;
  const Service service = [&](Request) -> Task<Response> {
    const int call = ++calls;
    Response response(call == 1 ? 200 : 206, Headers{{"ETag", "\"v1\""}}, Body());
    if (call == 1) {
      response.body = Body(std::make_unique<Sized>("0123", 10));
    } else {
      response.headers.set("Content-Range", call == 2 ? "bytes 4-5/*" : "bytes 6-9/*");
      response.body = escapement::test::pieces({call == 2 ? "45" : "6789"});
    }
    co_return std::move(response);
  };
  DownloadOptions options;
  options.pause = 1ms;
  SECTION("in one call") {
    CHECK(at.loop.run(download(service, get("http://h/f"), at.pool, at.folder.file("f"), options)));
  }
  SECTION("in a later one") {
    options.continuations_max = 0;
    for (int call = 0; call < 2; ++call) {
      CHECK(
          at.loop.run(download(service, get("http://h/f"), at.pool, at.folder.file("f"), options)).error() ==
          Errc::reset);
    }
    CHECK(at.loop.run(download(service, get("http://h/f"), at.pool, at.folder.file("f"), options)));
  }
  CHECK(at.folder.read("f") == "0123456789");
  CHECK(calls == 3);
}

TEST_CASE("download: fewer bytes than the range names are a broken body") {
  Fixture at;
  int calls = 0;
  const Service service = [&](Request) -> Task<Response> {
    const int call = ++calls;
    if (call == 1) {
      co_return Response(200, Headers{{"ETag", "\"v1\""}}, escapement::test::pieces({"0123"}, {}, true));
    }
    Headers headers{{"ETag", "\"v1\""}, {"Content-Range", call == 2 ? "bytes 4-9/*" : "bytes 6-9/*"}};
    co_return Response(206, std::move(headers), escapement::test::pieces({call == 2 ? "45" : "6789"}));
  };
  DownloadOptions options;
  options.pause = 1ms;
  CHECK(at.loop.run(download(service, get("http://h/f"), at.pool, at.folder.file("f"), options)));
  CHECK(at.folder.read("f") == "0123456789");
  CHECK(calls == 3);
}

TEST_CASE("download: a part with another Last-Modified is of another version") {
  Fixture at;
  std::vector<std::string> asked;
  const Service service = [&](Request request) -> Task<Response> {
    asked.emplace_back(request.headers.get_or("Range", "-"));
    const bool first = asked.size() == 1;
    Headers headers{
        {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"Last-Modified", first ? "Sat, 05 Nov 1994 08:49:37 GMT" : "Sun, 06 Nov 1994 07:00:00 GMT"}};
    if (first) co_return Response(200, std::move(headers), escapement::test::pieces({"01234"}, {}, true));
    if (!request.headers.has("Range")) co_return Response(200, std::move(headers), "abcdefghij");
    headers.set("Content-Range", "bytes 5-9/10");
    co_return Response(206, std::move(headers), "fghij");
  };
  DownloadOptions options;
  options.pause = 1ms;
  CHECK(at.loop.run(download(service, get("http://h/f"), at.pool, at.folder.file("f"), options)));
  CHECK(at.folder.read("f") == "abcdefghij");
  CHECK(asked == std::vector<std::string>{"-", "bytes=5-", "-"});
}
