// Folders on a pool.

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <latch>
#include <map>
#include <optional>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/native/folder.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>

#include "support/scratch_folder.h"

using namespace escapement;
using Kind = FolderEntry::Kind;

namespace {

Task<std::map<std::string, Kind>> list(ThreadPool& pool, std::string path) {
  Folder folder = co_await Folder::open(pool, std::move(path));
  std::map<std::string, Kind> all;
  for (;;) {
    std::optional<FolderEntry> entry = co_await folder.next();
    if (!entry) break;
    CHECK(all.emplace(entry->name, entry->kind).second);
  }
  std::optional<FolderEntry> end = co_await folder.next();
  CHECK_FALSE(end);
  co_return all;
}

}  // namespace

TEST_CASE("folder: lists every entry once, with its kind") {
  test::ScratchFolder scratch;
  Loop loop;
  ThreadPool pool;
  std::filesystem::create_directory(scratch.path("many"));
  Result<std::map<std::string, Kind>> none = loop.run(list(pool, scratch.path("many")));
  REQUIRE(none);
  CHECK(none->empty());
  for (const int count : {255, 256, 257, 1000}) {
    for (int i = 0; i < count; ++i) scratch.write("many/" + std::to_string(i), "");
    Result<std::map<std::string, Kind>> all = loop.run(list(pool, scratch.path("many")));
    REQUIRE(all);
    CHECK(all->size() == static_cast<std::size_t>(count));
  }
  scratch.write("file", "x");
  scratch.link("nowhere", "link");
  CHECK(::mkfifo(scratch.path("fifo").c_str(), 0600) == 0);
  Result<std::map<std::string, Kind>> kinds = loop.run(list(pool, scratch.path()));
  REQUIRE(kinds);
  const std::map<std::string, Kind> expected{
      {"file", Kind::file}, {"link", Kind::link}, {"fifo", Kind::other}, {"many", Kind::folder}};
  CHECK((*kinds == expected));
}

TEST_CASE("folder: a call that is cancelled loses no entry") {
  test::ScratchFolder scratch;
  for (int i = 0; i < 600; ++i) scratch.write(std::to_string(i), "");
  Loop loop;
  ThreadPool pool;
  Result<> ended = loop.run([&]() -> Task<> {
    Folder folder = co_await Folder::open(pool, scratch.path());
    std::size_t count = 0;
    for (int i = 0;; ++i) {
      Scope scope(co_await this_reactor);
      JoinHandle<std::optional<FolderEntry>> next = scope.spawn_joinable(folder.next());
      if (i % 3 == 0 && !next.finished()) {
        for (int turn = 0; turn < i % 5; ++turn) co_await yield();
        if (!next.finished()) {
          next.cancel();
          continue;
        }
      }
      std::optional<FolderEntry> entry = co_await std::move(next).join();
      if (!entry) break;
      ++count;
    }
    CHECK(count == 600);
  });
  CHECK(ended);
}

TEST_CASE("folder: made, with those above it, and removed") {
  test::ScratchFolder scratch;
  scratch.write("file", "x");
  Loop loop;
  ThreadPool pool;
  Result<> ended = loop.run([&]() -> Task<> {
    co_await make_folder(pool, scratch.path("a"), 0700);
    Result<> again = co_await make_folder(pool, scratch.path("a")).result();
    CHECK((!again && again.error() == Errc::invalid_argument && again.error().os_number() == EEXIST));
    CHECK(again.error().message() == "make " + scratch.path("a") + ": File exists");
    Result<> above = co_await make_folder(pool, scratch.path("b/c")).result();
    CHECK((!above && above.error() == Errc::not_found));
    co_await make_folders(pool, scratch.path("b/c/d"));
    co_await make_folders(pool, scratch.path("b/c//d/"));
    CHECK(std::filesystem::is_directory(scratch.path("b/c/d")));
    Result<> below_file = co_await make_folders(pool, scratch.path("file/a")).result();
    CHECK((!below_file && below_file.error() == Errc::invalid_argument));
    Result<> nameless = co_await make_folders(pool, "").result();
    CHECK((!nameless && nameless.error() == Errc::not_found));
    Result<> full = co_await remove_folder(pool, scratch.path("b")).result();
    CHECK((!full && full.error() == Errc::invalid_argument && full.error().os_number() == ENOTEMPTY));
    co_await remove_folder(pool, scratch.path("a"));
    Result<> gone = co_await remove_folder(pool, scratch.path("a")).result();
    CHECK((!gone && gone.error() == Errc::not_found));
    Result<> nul = co_await make_folder(pool, std::string("a\0b", 3)).result();
    CHECK((!nul && nul.error() == Errc::invalid_argument));
  });
  CHECK(ended);
}

TEST_CASE("folder: what cannot be listed") {
  test::ScratchFolder scratch;
  scratch.write("file", "x");
  Loop loop;
  ThreadPool pool;
  Result<Folder> missing = loop.run(Folder::open(pool, scratch.path("missing")));
  REQUIRE_FALSE(missing);
  CHECK(missing.error() == Errc::not_found);
  CHECK(missing.error().message() == "list " + scratch.path("missing") + ": No such file or directory");
  Result<Folder> file = loop.run(Folder::open(pool, scratch.path("file")));
  REQUIRE_FALSE(file);
  CHECK((file.error() == Errc::not_found && file.error().os_number() == ENOTDIR));
}
