// Bodies read from files on a pool.

#include <filesystem>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/loop.h>
#include <escapement/middleware/files/file_body.h>

#include "support/scratch_folder.h"

using namespace escapement;
using namespace escapement::http;

namespace {

struct World {
  World() { folder.write("a", "0123456789"); }
  Task<File> open() { return File::open(pool, folder.path("a")); }
  test::ScratchFolder folder;
  Loop loop;
  ThreadPool pool;
};

}  // namespace

TEST_CASE("file body: a whole file, and a part of it, in pieces") {
  World world;
  Result<> ended = world.loop.run([&world]() -> Task<> {
    File file = co_await world.open();
    for (const std::size_t piece : {1, 3, 10, 11, 65'536}) {
      Body whole = co_await whole_file_body(file, piece);
      CHECK(whole.length() == 10);
      CHECK_FALSE(whole.replayable());
      CHECK(whole.file_range() == nullptr);
      std::string first = co_await whole.read();
      CHECK(first == std::string("0123456789").substr(0, piece));
      std::string rest = co_await whole.text(100);
      CHECK(first + rest == "0123456789");
      ByteRange range;
      range.first = 3;
      range.length = 4;
      Body part = file_body(file, range, piece);
      CHECK(part.length() == 4);
      std::string text = co_await part.text(4);
      CHECK(text == "3456");
    }
  });
  CHECK(ended);
}

TEST_CASE("file body: an empty file has no content; a shorter one fails") {
  World world;
  world.folder.write("empty", "");
  Result<> ended = world.loop.run([&world]() -> Task<> {
    File empty = co_await File::open(world.pool, world.folder.path("empty"));
    Body none = co_await whole_file_body(empty);
    CHECK(none.length() == 0);
    CHECK(none.replayable());
    File file = co_await world.open();
    Body whole = co_await whole_file_body(file, 4);
    std::filesystem::resize_file(world.folder.path("a"), 6);
    Result<std::string> text = co_await whole.text(100).result();
    CHECK((!text && text.error() == Errc::reset));
  });
  CHECK(ended);
}
