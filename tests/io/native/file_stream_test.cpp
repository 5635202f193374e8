// A file as a Stream.

#include <cerrno>
#include <memory>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/file_stream.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>
#include <escapement/timers/timeout.h>

#include "support/failing_calls.h"
#include "support/read_and_write.h"
#include "support/scratch_folder.h"

using namespace escapement;
using namespace escapement::test;

namespace {

struct World {
  test::ScratchFolder folder;
  Loop loop;
  ThreadPool pool;

  Task<std::unique_ptr<Stream>> open(std::string name, OpenOptions options,
                                     FilePositions from = FilePositions()) {
    File file = co_await File::open(pool, folder.path(name), options);
    co_return file_stream(std::move(file), from);
  }
};

}  // namespace

TEST_CASE("file stream: bytes are read and written in order, independently") {
  World world;
  Result<> ended = world.loop.run([&world]() -> Task<> {
    for (const std::size_t size : {0, 1, 65'535, 65'536, 65'537, 300'000, 600'000}) {
      const std::string sent = sample(size);
      std::unique_ptr<Stream> to = co_await world.open("a", OpenOptions::write());
      co_await to->write(Bytes());
      co_await write_all(*to, sent);  // and ends it
      CHECK(to->write_closed());
      Result<> late = co_await to->write(as_bytes("late")).result();
      CHECK((!late && late.error() == Errc::reset));
      std::unique_ptr<Stream> from = co_await world.open("a", OpenOptions::read());
      std::string got = co_await read_all(*from);
      CHECK((got == sent));
      std::string room(10, '\0');
      for (int i = 0; i < 3; ++i) {
        std::size_t end = co_await from->read(as_room(room));
        CHECK(end == 0);
      }
      CHECK(from->read_closed());
      CHECK_FALSE(from->readable_or_closed());
      CHECK(from->peer() == world.folder.path("a"));
    }
  });
  CHECK(ended);
}

TEST_CASE("file stream: begins where it is told; appends where the end is") {
  World world;
  world.folder.write("a", "0123456789");
  Result<> ended = world.loop.run([&world]() -> Task<> {
    FilePositions from;
    from.read = 4;
    from.write = 8;
    std::unique_ptr<Stream> stream = co_await world.open("a", OpenOptions::read_write(), from);
    co_await stream->write(as_bytes("abc"));
    co_await stream->write(as_bytes("d"));
    std::string rest = co_await read_all(*stream);
    CHECK(rest == "4567abcd");
    std::unique_ptr<Stream> log = co_await world.open("a", OpenOptions::append());
    co_await log->write(as_bytes("!"));
    co_await log->write(as_bytes("?"));
    std::string all = co_await File::read_all(world.pool, world.folder.path("a"), 100);
    CHECK(all == "01234567abcd!?");
  });
  CHECK(ended);
}

TEST_CASE("file stream: cancelling reads loses no bytes") {
  World world;
  const std::string bytes = sample(700'000);
  world.folder.write("a", bytes);
  Result<> ended = world.loop.run([&]() -> Task<> {
    std::unique_ptr<Stream> stream = co_await world.open("a", OpenOptions::read());
    std::string got;
    std::string room(7000, '\0');
    for (int i = 0;; ++i) {
      const Duration limit = i % 2 == 0 ? Duration(0s) : Duration(1h);
      Result<std::size_t> count = co_await with_timeout(limit, stream->read(as_room(room))).result();
      if (!count) {
        CHECK(count.error() == Errc::timed_out);
        continue;
      }
      if (*count == 0) break;
      got.append(room, 0, *count);
    }
    CHECK((got == bytes));
  });
  CHECK(ended);
}

TEST_CASE("file stream: failures keep their kind") {
  World world;
  world.folder.write("a", "x");
  Result<> ended = world.loop.run([&world]() -> Task<> {
    std::unique_ptr<Stream> stream = co_await world.open("a", OpenOptions::read_write());
    {
      const FailingCall full(Call::pwrite, ENOSPC);
      Result<> written = co_await stream->write(as_bytes("y")).result();
      CHECK((!written && written.error() == Errc::overloaded));
    }
    const FailingCall broken(Call::pread, EIO);
    std::string room(10, '\0');
    Result<std::size_t> read = co_await stream->read(as_room(room)).result();
    CHECK((!read && read.error() == Errc::unavailable));
  });
  CHECK(ended);
}
