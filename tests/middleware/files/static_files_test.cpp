// Real files in a scratch folder, in simulated time.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <future>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>
#include <escapement/io/native/thread_pool.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/files/static_files.h>
#include <escapement/middleware/server/router.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/scratch_folder.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::ScratchFolder;

namespace {

struct Answer {
  int status = 0;
  Headers headers;
  std::string body;
  std::string field(std::string_view name) const { return std::string(headers.get_or(name, "")); }
};

// The response with its body read to the end; status 0: the body failed.
Answer fetch(const Service& service, Request request) {
  const auto run = [](const Service& service, Request request) -> Task<Answer> {
    Response response = co_await service(std::move(request));
    Answer answer;
    answer.headers = response.headers;
    const std::optional<std::uint64_t> length = response.body.length();
    Result<std::string> body = co_await response.body.text(16 * MiB).result();
    if (body) answer.status = response.status;
    if (body) answer.body = *body;
    if (length) answer.headers.set("Length", std::to_string(*length));
    co_return std::move(answer);
  };
  Sim sim;
  Result<Answer> answer = sim.run(run(service, std::move(request)));
  REQUIRE(answer);
  return *std::move(answer);
}

Answer fetch(const Service& service, const std::string& path, Headers headers = {},
             const char* method = "GET") {
  return fetch(service, Request(method, *Url::parse("http://h" + path), std::move(headers)));
}

void set_time(const ScratchFolder& folder, const char* name, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 500'000'000}, {seconds, 500'000'000}};
  REQUIRE(::utimensat(AT_FDCWD, folder.path(name).c_str(), times, 0) == 0);
}

// With the files read on the loop's thread, or by a pool: one whose work is done in simulated time.
ThreadPool* each_pool() {
  static ThreadPool pool([] {
    ThreadPoolOptions options;
    options.threads = 0;
    return options;
  }());
  return GENERATE(false, true) ? &pool : nullptr;
}

constexpr std::int64_t in_2025 = 1'750'000'000;  // Sun, 15 Jun 2025 15:06:40 GMT

}  // namespace

TEST_CASE("static files: what names a file, and what does not") {
  StaticFilesOptions options;
  options.containment = GENERATE(Containment::kernel, Containment::walk);
  options.pool = each_pool();
  const ScratchFolder folder;
  folder.write("root/a.txt", "text");
  folder.write("root/empty", "");
  folder.write("root/sub/index.html", "<index>");
  folder.write("root/sub/deep/b c.json", "{}");
  folder.write("root/.hidden", "secret");
  folder.write("root/.git/config", "secret");
  folder.write("outside.txt", "outside");
  folder.link("../outside.txt", "root/out");
  folder.link("..", "root/up");
  folder.link(folder.path("root/a.txt"), "root/absolute");
  folder.link("loop", "root/loop");
  folder.link("a.txt", "root/inside");
  REQUIRE(::mkfifo(folder.path("root/fifo").c_str(), 0600) == 0);
  const Service files = *StaticFiles::make(folder.path("root"), options);

  CHECK(fetch(files, "/a.txt").body == "text");
  CHECK(fetch(files, "/a.txt?x=y").field("content-type") == "text/plain; charset=utf-8");
  CHECK(fetch(files, "/empty").status == 200);
  CHECK(fetch(files, "/empty").field("length") == "0");
  CHECK(fetch(files, "/sub/").body == "<index>");
  CHECK(fetch(files, "/sub/").field("content-type") == "text/html; charset=utf-8");
  CHECK(fetch(files, "/sub/deep/b%20c.json").body == "{}");
  CHECK(fetch(files, "/x/../a.txt").body == "text");  // by Url, before it comes here
  const Answer moved = fetch(files, "/sub?q=1");
  CHECK(moved.status == 301);
  CHECK(moved.field("location") == "/sub/?q=1");
  for (const char* nowhere : {"/",
                              "/none",
                              "/a.txt/",
                              "/a.txt/b",
                              "//a.txt",
                              "/sub//index.html",
                              "/sub/deep/",
                              "/%2e%2e/outside.txt",
                              "/..%2Foutside.txt",
                              "/sub%2Findex.html",
                              "/sub/..%2F..%2Foutside.txt",
                              "/a.txt%00",
                              "/.hidden",
                              "/.git/config",
                              "/.%67it/config",
                              "/out",
                              "/up/outside.txt",
                              "/up/",
                              "/absolute",
                              "/loop",
                              "/fifo",
                              "/%5C..%5Ca"}) {
    CAPTURE(nowhere);
    CHECK(fetch(files, nowhere).status == 404);
  }
  CHECK(fetch(files, "/" + std::string(300, 'x')).status == 404);
  // A link that stays inside needs the kernel's help; the walk follows none.
  CHECK(fetch(files, "/inside").status == (options.containment == Containment::kernel ? 200 : 404));
  options.hidden = true;
  CHECK(fetch(*StaticFiles::make(folder.path("root"), options), "/.hidden").body == "secret");
  options.index = "";
  CHECK(fetch(*StaticFiles::make(folder.path("root"), options), "/sub/").status == 404);
}

TEST_CASE("static files: the root must be a folder, and methods other than GET and HEAD are refused") {
  const ScratchFolder folder;
  folder.write("a", "1");
  CHECK(StaticFiles::make(folder.path("none")).error() == Errc::not_found);
  CHECK(StaticFiles::make(folder.path("a")).error() == Errc::invalid_argument);
  StaticFilesOptions options;
  options.pool = each_pool();
  const Service files = *StaticFiles::make(folder.path(), options);
  CHECK(fetch(files, "/a", {}, "POST").status == 405);
  CHECK(fetch(files, "/a", {}, "DELETE").field("allow") == "GET, HEAD, OPTIONS");
  CHECK(fetch(files, "/a", {}, "OPTIONS").status == 204);
  CHECK(fetch(files, "/a").status == 200);  // UBSan looks at a type for the first time by a pipe
  if (::geteuid() != 0) {
    ::chmod(folder.path("a").c_str(), 0);
    CHECK(fetch(files, "/a").status == 403);
  } else {
    WARN("skipped: nothing is forbidden to root, so no 403 can be made");
  }
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  rlimit none = usual;
  none.rlim_cur = 0;
  ::setrlimit(RLIMIT_NOFILE, &none);
  const Answer lacking = fetch(files, "/a");
  ::setrlimit(RLIMIT_NOFILE, &usual);
  CHECK(lacking.status == 503);
}

TEST_CASE("static files: validators and conditional requests") {
  const ScratchFolder folder;
  folder.write("a.txt", "0123456789");
  set_time(folder, "a.txt", in_2025);
  StaticFilesOptions options;
  options.cache_control = "max-age=60";
  options.pool = each_pool();
  const Service files = *StaticFiles::make(folder.path(), options);
  const Answer plain = fetch(files, "/a.txt");
  CHECK(plain.field("last-modified") == "Sun, 15 Jun 2025 15:06:40 GMT");
  CHECK(plain.field("etag") == "\"684ee180.1dcd6500-a\"");
  CHECK(plain.field("accept-ranges") == "bytes");
  CHECK(plain.field("cache-control") == "max-age=60");
  const Answer same = fetch(files, "/a.txt", Headers{{"If-None-Match", plain.field("etag")}});
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(same.field("etag") == plain.field("etag"));
  CHECK(same.field("cache-control") == "max-age=60");
  CHECK(!same.headers.has("content-type"));
  CHECK(fetch(files, "/a.txt", Headers{{"If-Modified-Since", plain.field("last-modified")}}).status == 304);
  CHECK(fetch(files, "/a.txt", Headers{{"If-Match", "\"x\""}}).status == 412);
  const Answer head = fetch(files, "/a.txt", {}, "HEAD");
  CHECK(head.field("length") == "10");
  CHECK(head.field("etag") == plain.field("etag"));
  set_time(folder, "a.txt", in_2025 + 1);
  CHECK(fetch(files, "/a.txt", Headers{{"If-None-Match", plain.field("etag")}}).status == 200);
}

TEST_CASE("static files: a file dated in the future was changed now") {
  const ScratchFolder folder;
  folder.write("a.txt", "0123456789");
  const std::int64_t in_2100 = 4'102'444'800;
  set_time(folder, "a.txt", in_2100);
  const Service files = *StaticFiles::make(folder.path());
  for (const char* method : {"GET", "HEAD"}) {
    const Answer plain = fetch(files, "/a.txt", {}, method);
    REQUIRE(plain.status == 200);
    CHECK(plain.field("last-modified") == plain.field("date"));
    const SystemTime in_2090 = SystemTime::from_unix_milliseconds(3'786'912'000'000);
    CHECK(*SystemTime::parse_http_date(plain.field("last-modified"), SystemTime()) < in_2090);
    const Answer same = fetch(files, "/a.txt", Headers{{"If-None-Match", plain.field("etag")}}, method);
    CHECK(same.status == 304);
    CHECK(same.field("etag") == plain.field("etag"));
    CHECK(same.field("last-modified") == same.field("date"));
  }
  const Answer plain = fetch(files, "/a.txt");
  // A date of this second is no strong validator.
  const Answer part =
      fetch(files, "/a.txt", Headers{{"Range", "bytes=0-1"}, {"If-Range", plain.field("date")}});
  CHECK(part.status == 200);
  const Answer by_tag =
      fetch(files, "/a.txt", Headers{{"Range", "bytes=0-1"}, {"If-Range", plain.field("etag")}});
  CHECK(by_tag.status == 206);
  CHECK(by_tag.field("etag") == plain.field("etag"));
  CHECK(by_tag.field("last-modified") == by_tag.field("date"));
  CHECK(fetch(files, "/a.txt", Headers{{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}}).status ==
        200);
  set_time(folder, "a.txt", in_2025);
  CHECK(!fetch(files, "/a.txt").headers.has("date"));
}

TEST_CASE("static files: paths in any spelling") {
  const ScratchFolder folder;
  folder.write("~a b.txt", "x");
  const Service files = *StaticFiles::make(folder.path());
  CHECK(fetch(files, "/~a%20b.txt").status == 200);
  CHECK(fetch(files, "/%7ea%20%62.txt").status == 200);
  for (const char* path : {"/x%2F~a%20b.txt", "/x%2f~a%20b.txt", "/%2f~a%20b.txt", "/%2e%2E%2f~a%20b.txt"})
    CHECK(fetch(files, path).status == 404);
}

TEST_CASE("static files: ranges") {
  const ScratchFolder folder;
  folder.write("a.txt", "0123456789");
  set_time(folder, "a.txt", in_2025);
  StaticFilesOptions options;
  options.pool = each_pool();
  const Service files = *StaticFiles::make(folder.path(), options);
  const auto range = [&](const char* value, Headers more = {}) {
    more.add("Range", value);
    return fetch(files, "/a.txt", std::move(more));
  };
  const Answer one = range("bytes=2-4");
  CHECK(one.status == 206);
  CHECK(one.body == "234");
  CHECK(one.field("content-range") == "bytes 2-4/10");
  CHECK(one.field("content-type") == "text/plain; charset=utf-8");
  CHECK(range("bytes=-1").body == "9");
  CHECK(range("bytes=4-2").status == 200);
  const Answer beyond = range("bytes=10-");
  CHECK(beyond.status == 416);
  CHECK(beyond.field("content-range") == "bytes */10");
  CHECK(range("bytes=0-1", Headers{{"If-Range", "\"other\""}}).status == 200);
  CHECK(range("bytes=0-1", Headers{{"If-Range", one.field("etag")}}).status == 206);
  CHECK(range("bytes=0-1", Headers{{"If-None-Match", one.field("etag")}}).status == 304);
  CHECK(fetch(files, "/a.txt", Headers{{"Range", "bytes=0-1"}}, "HEAD").status == 200);

  const Answer two = range("bytes=0-1,8-");
  CHECK(two.status == 206);
  const std::string type = two.field("content-type");
  REQUIRE(type.starts_with("multipart/byteranges; boundary="));
  const std::string line = "--" + type.substr(31);
  CHECK(two.body ==
        line + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n" +
            line +
            "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n" +
            line + "--\r\n");
  CHECK(two.field("length") == std::to_string(two.body.size()));
}

TEST_CASE("static files: a large file comes in pieces, and says where it lies") {
  const ScratchFolder folder;
  std::string big;
  while (big.size() < 300'000) big += std::to_string(big.size()) + ' ';
  folder.write("big", big);
  StaticFilesOptions options;
  options.piece_bytes = 1000;
  options.pool = each_pool();
  const bool pooled = options.pool != nullptr;
  const Service files = *StaticFiles::make(folder.path(), options);
  CHECK(fetch(files, "/big").body == big);
  CHECK(fetch(files, "/big", Headers{{"Range", "bytes=50000-99999"}}).body == big.substr(50'000, 50'000));
  CHECK(fetch(files, "/big", Headers{{"Range", "bytes=0-99999,200000-"}}).body.size() > 190'000);
  const auto look = [pooled](const Service& files) -> Task<> {
    Response response = co_await files(get("http://h/big"));
    FileRange* range = response.body.file_range();
    REQUIRE((range == nullptr) == pooled);
    if (pooled) co_return;
    CHECK(range->offset == 0);
    CHECK(range->left == *response.body.length());
    std::string piece = co_await response.body.read();
    CHECK(piece.size() == 1000);
    CHECK(range->offset == 1000);
  };
  Sim sim;
  CHECK(sim.run(look(files)));
}

TEST_CASE("static files: a file that becomes shorter while it is sent is never whole") {
  const ScratchFolder folder;
  folder.write("big", std::string(100'000, 'x'));
  StaticFilesOptions options;
  options.pool = each_pool();
  const Service files = *StaticFiles::make(folder.path(), options);
  const auto cut = [](const Service& files, std::string path) -> Task<std::string> {
    Response response = co_await files(get("http://h/big"));
    (void)::truncate(path.c_str(), 70'000);
    co_return co_await response.body.text(1 * MiB);
  };
  Sim sim;
  CHECK(sim.run(cut(files, folder.path("big"))).error() == Errc::reset);
}

TEST_CASE("static files: with a pool, the loop's thread neither opens nor reads") {
  const ScratchFolder folder;
  folder.write("small", "text");
  folder.write("big", std::string(100'000, 'x'));
  ThreadPoolOptions one;
  one.threads = 1;
  one.waiting_max = 1;
  ThreadPool pool(one);
  StaticFilesOptions options;
  options.pool = &pool;
  const Service files = *StaticFiles::make(folder.path(), options);
  Loop loop;
  const auto read = [](const Service& files, const char* url) -> Task<std::size_t> {
    Response response = co_await files(get(url));
    std::string body = co_await response.body.text(1 * MiB);
    co_return body.size();
  };
  CHECK(*loop.run(read(files, "http://h/small")) == 4);
  CHECK(*loop.run(read(files, "http://h/big")) == 100'000);
  // While the pool's thread is held up, requests wait for it; one too many is refused, and one that is
  // cancelled leaves the queue.
  std::promise<void> go;
  Scope scope(loop.reactor(), nullptr);
  std::atomic<bool> held{false};
  const auto hold = [&pool, &held](std::shared_future<void> until) -> Task<> {
    const auto wait = [&held](const std::shared_future<void>& u) {
      held = true;
      u.wait();
    };
    co_await offload(pool, wait, std::move(until));
  };
  const auto full = [&]() -> Task<int> {
    scope.spawn(hold(go.get_future().share()));
    while (!held) co_await sleep(1ms);
    JoinHandle<std::size_t> waiting = scope.spawn_joinable(read(files, "http://h/small"));
    while (pool.waiting() == 0) co_await sleep(1ms);
    Response refused = co_await files(get("http://h/small"));
    waiting.cancel();
    CHECK(pool.waiting() == 0);
    Result<Response> late = co_await with_timeout(5ms, files(get("http://h/small"))).result();
    CHECK(late.error() == Errc::timed_out);
    go.set_value();
    co_await scope.join();
    co_return refused.status;
  };
  CHECK(*loop.run(full()) == 503);
}

TEST_CASE("static files: below a route") {
  const ScratchFolder folder;
  folder.write("a/b.txt", "b");
  const StaticFiles files = *StaticFiles::make(folder.path());
  const Service router =
      *Router::make({Route("*", "/files/*path", [files](Request request, PathParams params) {
        return files.serve(std::move(request), std::string(params["path"]));
      })});
  CHECK(fetch(router, "/files/a/b.txt").body == "b");
  CHECK(fetch(router, "/files/a").field("location") == "/files/a/");
  CHECK(fetch(router, "/files/").status == 404);
  CHECK(fetch(router, "/files/a%2Fb.txt").status == 404);
  CHECK(fetch(router, "/files/..%2Fx").status == 404);
}
