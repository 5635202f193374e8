// DiskCacheStore: what is found again, torn files, bounds.

#include <escapement/middleware/cache/disk_cache_store.h>

#include <fstream>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/loop.h>
#include <escapement/middleware/cache/cache.h>

#include "support/answers.h"
#include "support/scratch_folder.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::pieces;
using escapement::test::request;

namespace {

Headers fresh() { return Headers{{"Cache-Control", "max-age=1000"}, {"ETag", "\"1\""}}; }

struct World {
  explicit World(CacheStoreLimits l = CacheStoreLimits()) : limits(l) { open(); }

  // Opens the folder as the next program would.
  void open() {
    store.reset();
    service.reset();
    store = *loop.run(DiskCacheStore::open(pool, folder.path("cache"), limits));
    service.emplace(layered(Cache(store), origin()));
  }
  Service origin() {
    return [this](Request asked) -> Task<Response> {
      ++calls;
      if (asked.headers.has("if-none-match")) co_return Response(304, fresh(), Body());
      co_return Response(200, fresh(), body.empty() ? pieces({"12345", "67890"}) : Body(body));
    };
  }
  Answer get(const std::string& path = "/", Headers headers = {}) {
    return *loop.run(ask(*service, request("GET", path, std::move(headers))));
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path("cache"))) {
      names.push_back(entry.path().string());
    }
    return names;
  }

  test::ScratchFolder folder;
  ThreadPool pool;
  Loop loop;
  CacheStoreLimits limits;
  std::shared_ptr<DiskCacheStore> store;
  std::optional<Service> service;
  std::string body;
  int calls = 0;
};

}  // namespace

TEST_CASE("disk cache: a response outlives the program, streamed and at once") {
  World world;
  CHECK(world.get().body == "1234567890");
  world.body = std::string(600 * KiB, 'x');
  CHECK(world.get("/long", {{"Authorization", "secret"}}).body == world.body);
  CHECK(world.store->size() == 2);
  CHECK(world.files().size() == 2);
  for (int i = 0; i < 2; ++i) {
    const Answer again = world.get();
    CHECK(again.body == "1234567890");
    CHECK(again.field("ETag") == "\"1\"");
    CHECK(again.headers.has("Age"));
    CHECK(world.get("/long", {{"Authorization", "secret"}}).body == world.body);
    world.open();
  }
  CHECK(world.calls == 2);
  for (const std::string& file : world.files()) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    CHECK(bytes.find("secret") == bytes.npos);
    CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms(077)) ==
          std::filesystem::perms::none);
  }
}

TEST_CASE("disk cache: a torn file is dropped, wherever it is torn, and its response fetched again") {
  World world;
  world.body = "0123456789";
  (void)world.get();
  const std::string file = world.files().at(0);
  std::ifstream in(file, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  int calls = 1;
  const auto try_bytes = [&](const std::string& bytes, bool found) {
    for (const std::string& other : world.files()) std::filesystem::remove(other);
    std::ofstream(file, std::ios::binary) << bytes;
    world.open();
    CHECK(world.get().body == "0123456789");
    if (!found) ++calls;
    CHECK(world.calls == calls);
    CHECK(world.files().size() == 1);
  };
  try_bytes(whole, true);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    INFO(size);
    try_bytes(whole.substr(0, size), false);
  }
  for (std::size_t at = 0; at < whole.size(); at += 5) {
    INFO(at);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    try_bytes(flipped, false);
  }
  std::string zeros = whole;
  zeros.replace(0, 10, 10, '\0');
  try_bytes(zeros, false);
  try_bytes(whole + "x", false);
}

TEST_CASE("disk cache: a part that was left is removed, and other files are left alone") {
  World world;
  world.folder.write("cache/0000000000000009.part", "12");
  world.folder.write("cache/nonsense.response", "12");
  world.folder.write("cache/README", "12");
  world.open();
  CHECK(world.files().size() == 1);
  CHECK(world.store->size() == 0);
}

TEST_CASE("disk cache: a body that is given up leaves nothing") {
  World world;
  auto part = [&]() -> Task<> {
    Response response = co_await (*world.service)(get("http://h/"));
    std::string bytes = co_await response.body.read();
    CHECK(bytes == "12345");
  };
  CHECK(world.loop.run(part()));
  CHECK(world.store->size() == 0);
  CHECK(world.loop.run(world.store->remove("x", 0)));
  CHECK(world.files().empty());
}

TEST_CASE("disk cache: a 304 changes the head in place") {
  World world;
  (void)world.get();
  (void)world.get("/", {{"Cache-Control", "no-cache"}});
  CHECK(world.calls == 2);
  world.open();
  CHECK(world.get().body == "1234567890");
  CHECK(world.calls == 2);
}

TEST_CASE("disk cache: keeps its bounds, and removes the files of what goes") {
  CacheStoreLimits limits;
  limits.entries_max = 3;
  World world(limits);
  for (int i = 0; i < 6; ++i) (void)world.get("/" + std::to_string(i));
  CHECK(world.store->size() == 3);
  CHECK(world.files().size() == 3);
  world.limits.entries_max = 1;
  world.open();
  CHECK(world.store->size() == 1);
  CHECK(world.files().size() == 1);
}

TEST_CASE("disk cache: a folder that cannot be, and one that vanishes") {
  World world;
  world.folder.write("file", "x");
  CHECK_FALSE(world.loop.run(DiskCacheStore::open(world.pool, world.folder.path("file"))));
  (void)world.get();
  std::filesystem::remove_all(world.folder.path("cache"));
  CHECK(world.get().body == "1234567890");
  CHECK(world.get("/other").body == "1234567890");
}

TEST_CASE("disk cache: an outdated response is not stored, and its file is removed") {
  World world;
  const auto begun = [&] {
    StoredHead head(200, fresh());
    return *world.loop.run(world.store->store("http://h/", head, std::nullopt));
  };
  std::unique_ptr<CacheStore::Writer> older = begun();
  std::unique_ptr<CacheStore::Writer> newer = begun();
  CHECK(*world.loop.run(newer->commit()));
  CHECK_FALSE(*world.loop.run(older->commit()));
  CHECK(world.store->size() == 1);
  std::unique_ptr<CacheStore::Writer> dropped = begun();
  std::unique_ptr<CacheStore::Writer> dropped_by_id = begun();
  const std::uint64_t id = world.loop.run(world.store->find("http://h/"))->front()->id;
  CHECK(world.loop.run(world.store->remove("http://h/", id)));
  CHECK(*world.loop.run(dropped_by_id->commit()));
  CHECK(world.loop.run(world.store->remove("http://h/", 0)));
  CHECK_FALSE(*world.loop.run(dropped->commit()));
  CHECK(world.store->size() == 0);
  CHECK(world.files().empty());
}
