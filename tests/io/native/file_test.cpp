// Files on a pool: contents, errors, faults of the system, cancellation.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <latch>
#include <memory>
#include <string>
#include <tuple>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/bytes.h>
#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/file.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>
#include <escapement/timers/timeout.h>

#include "support/failing_calls.h"
#include "support/scratch_folder.h"

using namespace escapement;
using test::Call;
using test::FailingCall;

namespace {

std::string sample(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 7 % 26);
  return bytes;
}

std::size_t entries(const test::ScratchFolder& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    count += entry.exists() ? 1 : 1;
  return count;
}

// Where each test of this file works.
struct World {
  test::ScratchFolder folder;
  Loop loop;
  ThreadPool pool;

  Result<std::string> read(const std::string& name, std::size_t limit = 10 * MiB) {
    return loop.run(File::read_all(pool, folder.path(name), limit));
  }
  Result<> write(const std::string& name, std::string bytes) {
    return loop.run(File::write_all(pool, folder.path(name), std::move(bytes)));
  }
};

}  // namespace

TEST_CASE("file: what is written as a whole is read as a whole") {
  World world;
  for (const std::size_t size : {0, 1, 4095, 4096, 4097, 262'144, 262'145, 1'000'000}) {
    const std::string bytes = sample(size);
    CHECK(world.write("a", bytes));
    Result<std::string> read = world.read("a");
    REQUIRE(read);
    CHECK((*read == bytes));
    CHECK(world.read("a", size));
    if (size == 0) continue;
    Result<std::string> too_large = world.read("a", size - 1);
    REQUIRE_FALSE(too_large);
    CHECK(too_large.error() == Errc::limit_exceeded);
    CHECK(too_large.error().message() ==
          "read " + world.folder.path("a") + ": it has more than " + std::to_string(size - 1) + " bytes");
  }
  CHECK(entries(world.folder) == 1);
}

TEST_CASE("file: reads and writes at offsets; truncate, size, append, sync") {
  World world;
  Result<> ended = world.loop.run([&world]() -> Task<> {
    const std::string path = world.folder.path("b");
    File file = co_await File::open(world.pool, path, OpenOptions::create());
    CHECK(file.path() == path);
    co_await file.write_at(10, "world");
    co_await file.write_at(0, "hello");
    co_await file.write_at(3, std::string());
    std::uint64_t size = co_await file.size();
    CHECK(size == 15);
    std::string whole = co_await file.read_at(0, 100);
    CHECK(whole == std::string("hello\0\0\0\0\0world", 15));
    std::string part = co_await file.read_at(12, 2);
    CHECK(part == "rl");
    std::string end = co_await file.read_at(15, 2);
    CHECK(end.empty());
    std::string behind = co_await file.read_at(1000, 2);
    CHECK(behind.empty());
    std::string nothing = co_await file.read_at(0, 0);
    CHECK(nothing.empty());
    co_await file.truncate(5);
    co_await file.sync();
    File log = co_await File::open(world.pool, path, OpenOptions::append());
    co_await log.append(", all");
    co_await log.append(" of you");
    std::string text = co_await File::read_all(world.pool, path, 100);
    CHECK(text == "hello, all of you");
    File emptied = co_await File::open(world.pool, path, OpenOptions::write());
    size = co_await file.size();
    CHECK(size == 0);
    co_await emptied.truncate(3);
    text = co_await file.read_at(0, 100);
    CHECK(text == std::string(3, '\0'));
  });
  CHECK(ended);
}

TEST_CASE("file: its tasks do not refer to it, and it is closed after the last of them") {
  World world;
  world.folder.write("c", "content");
  int fd = -1;
  Result<std::string> text = world.loop.run([&]() -> Task<std::string> {
    std::optional<File> file = co_await File::open(world.pool, world.folder.path("c"));
    fd = file->fd();
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    Task<std::string> reading = file->read_at(0, 100);
    file.reset();
    CHECK(::fcntl(fd, F_GETFD) != -1);
    std::string text = co_await std::move(reading);
    co_return text;
  });
  REQUIRE(text);
  CHECK(*text == "content");
  CHECK(::fcntl(fd, F_GETFD) == -1);
}

TEST_CASE("file: permissions") {
  World world;
  const mode_t before = ::umask(022);
  Result<> ended = world.loop.run([&world]() -> Task<> {
    OpenOptions secret = OpenOptions::create();
    secret.permissions = 0600;
    File file = co_await File::open(world.pool, world.folder.path("secret"), secret);
    File plain = co_await File::open(world.pool, world.folder.path("plain"), OpenOptions::create());
    co_await File::write_all(world.pool, world.folder.path("whole"), "x", 0640);
  });
  ::umask(before);
  CHECK(ended);
  const auto mode = [&world](const char* name) {
    struct stat status{};
    CHECK(::stat(world.folder.path(name).c_str(), &status) == 0);
    return status.st_mode & 0777u;
  };
  CHECK(mode("secret") == 0600);
  CHECK(mode("plain") == 0644);
  CHECK(mode("whole") == 0640);
}

TEST_CASE("file: errors say what was done, to which file, and why") {
  World world;
  world.folder.write("there", "x");
  std::filesystem::create_directory(world.folder.path("folder"));
  const auto open = [&world](const std::string& path, OpenOptions options) -> Error {
    Result<File> file = world.loop.run(File::open(world.pool, path, options));
    if (file) return Error(Errc::internal, "it was opened");
    return std::move(file).error();
  };
  const std::string missing = world.folder.path("missing");
  Error error = open(missing, OpenOptions::read());
  CHECK(error == Errc::not_found);
  CHECK(error.os_number() == ENOENT);
  CHECK(error.message() == "open " + missing + ": No such file or directory");
  error = open(missing, OpenOptions::read_write());
  CHECK(error == Errc::not_found);
  error = open(world.folder.path("there/below"), OpenOptions::read());
  CHECK((error == Errc::not_found && error.os_number() == ENOTDIR));
  error = open(world.folder.path("there"), OpenOptions::create());
  CHECK((error == Errc::invalid_argument && error.os_number() == EEXIST));
  error = open(world.folder.path("folder"), OpenOptions::read());
  CHECK((error == Errc::invalid_argument && error.os_number() == EISDIR));
  error = open(world.folder.path(std::string(300, 'x')), OpenOptions::read());
  CHECK((error == Errc::invalid_argument && error.os_number() == ENAMETOOLONG));
  error = open(world.folder.path("there") + std::string("\0.txt", 5), OpenOptions::read());
  CHECK((error == Errc::invalid_argument && error.os_number() == EINVAL));
  error = open("", OpenOptions::read());
  CHECK(error == Errc::not_found);
  Result<> written = world.loop.run(File::write_all(world.pool, world.folder.path("no/such/a"), "x"));
  REQUIRE_FALSE(written);
  CHECK(written.error() == Errc::not_found);
  written = world.loop.run(File::write_all(world.pool, world.folder.path("folder"), "x"));
  CHECK((!written && written.error() == Errc::invalid_argument));
  CHECK(entries(world.folder) == 2);
}

TEST_CASE("file: what was opened to read cannot be written, and the other way round") {
  World world;
  world.folder.write("a", "x");
  Result<> ended = world.loop.run([&world]() -> Task<> {
    const std::string path = world.folder.path("a");
    File reads = co_await File::open(world.pool, path);
    Result<> written = co_await reads.write_at(0, "y").result();
    CHECK((!written && written.error() == Errc::invalid_argument));
    Result<> appended = co_await reads.append("y").result();
    CHECK((!appended && appended.error() == Errc::invalid_argument));
    Result<> cut = co_await reads.truncate(0).result();
    CHECK((!cut && cut.error() == Errc::invalid_argument));
    File appends = co_await File::open(world.pool, path, OpenOptions::append());
    Result<> at = co_await appends.write_at(0, "y").result();
    CHECK((!at && at.error() == Errc::invalid_argument));
    Result<std::string> read = co_await appends.read_at(0, 1).result();
    CHECK((!read && read.error() == Errc::invalid_argument));
    Result<std::string> far = co_await reads.read_at(~std::uint64_t{0}, 1).result();
    CHECK((!far && far.error() == Errc::invalid_argument));
    std::string text = co_await reads.read_at(0, 10);
    CHECK(text == "x");
  });
  CHECK(ended);
}

TEST_CASE("file: interruptions and short reads and writes go on where they were") {
  World world;
  const std::string bytes = sample(100);
  {
    const FailingCall interrupted(Call::pwrite, EINTR, 3);
    CHECK(world.write("a", bytes));
    CHECK(interrupted.count() == 3);
  }
  {
    const FailingCall interrupted(Call::fsync, EINTR, 2);
    CHECK(world.write("a", bytes));
    CHECK(interrupted.count() == 2);
  }
  {
    const FailingCall brief(Call::pwrite, 0, 50);
    CHECK(world.write("b", bytes));
    CHECK(brief.count() == 50);
  }
  for (const char* name : {"a", "b"}) {
    const FailingCall interrupted(Call::pread, EINTR, 3);
    Result<std::string> read = world.read(name);
    REQUIRE(read);
    CHECK((*read == bytes));
  }
  const FailingCall brief(Call::pread, 0, 50);
  Result<std::string> read = world.read("a");
  REQUIRE(read);
  CHECK((*read == bytes));
}

TEST_CASE("file: a full disk, and other failures in the middle: the old content stays, nothing else does") {
  World world;
  CHECK(world.write("a", "old"));
  const auto fails = [&world](Call call, int number, long works, Errc expected) {
    const FailingCall failing(call, number, 1, works);
    Result<> written = world.write("a", sample(600'000));
    CHECK(failing.count() == 1);
    REQUIRE_FALSE(written);
    CHECK(written.error() == expected);
    CHECK(written.error().os_number() == number);
    CHECK(written.error().message().find(world.folder.path("a") + ": ") != std::string::npos);
    CHECK(entries(world.folder) == 1);
    CHECK(*world.read("a") == "old");
  };
  fails(Call::pwrite, ENOSPC, 0, Errc::overloaded);
  fails(Call::pwrite, ENOSPC, 1, Errc::overloaded);
  fails(Call::pwrite, EDQUOT, 2, Errc::overloaded);
  fails(Call::pwrite, EIO, 0, Errc::unavailable);
  fails(Call::pwrite, EFBIG, 0, Errc::limit_exceeded);
  fails(Call::fsync, EIO, 0, Errc::unavailable);
  fails(Call::rename, EACCES, 0, Errc::permission_denied);
}

TEST_CASE("file: a real full device") {
  World world;
  Result<> ended = world.loop.run([&world]() -> Task<> {
    OpenOptions options = OpenOptions::write();
    options.truncates = false;
    File full = co_await File::open(world.pool, "/dev/full", options);
    co_await full.write_at(0, "x");
  });
  REQUIRE_FALSE(ended);
  CHECK(ended.error() == Errc::overloaded);
  CHECK(ended.error().message() == "write /dev/full: No space left on device");
}

TEST_CASE("file: a failed read fails, whatever was read before") {
  World world;
  CHECK(world.write("a", sample(600'000)));
  const FailingCall failing(Call::pread, EIO, 1, 2);
  Result<std::string> read = world.read("a");
  REQUIRE_FALSE(read);
  CHECK(read.error() == Errc::unavailable);
  CHECK(read.error().message() == "read " + world.folder.path("a") + ": Input/output error");
}

TEST_CASE("file: files that do not know their size; FIFOs do not block the pool") {
  World world;
  Result<std::string> status = world.loop.run(File::read_all(world.pool, "/proc/self/status", 1 * MiB));
  REQUIRE(status);
  CHECK(status->find("Pid:") != std::string::npos);
  Result<std::string> zeros = world.loop.run(File::read_all(world.pool, "/dev/zero", 1000));
  CHECK((!zeros && zeros.error() == Errc::limit_exceeded));
  CHECK(::mkfifo(world.folder.path("fifo").c_str(), 0600) == 0);
  Result<std::string> fifo = world.read("fifo");
  CHECK_FALSE(fifo);
}

TEST_CASE(
    "file: cancelled while it waits for a thread, a write does nothing; while it runs, it keeps its bytes") {
  test::ScratchFolder folder;
  folder.write("a", "old");
  Loop loop;
  {
    ThreadPoolOptions one;
    one.threads = 1;
    ThreadPool pool(one);
    std::latch begun(1);
    std::latch go_on(1);
    Result<> ended = loop.run([&]() -> Task<> {
      Scope scope(co_await this_reactor);
      scope.spawn(offload(pool, [&begun, &go_on] {
        begun.count_down();
        go_on.wait();
      }));
      co_await yield();
      begun.wait();
      Result<> late = co_await with_timeout(0s, File::write_all(pool, folder.path("a"), "new")).result();
      CHECK((!late && late.error() == Errc::timed_out));
      CHECK(pool.waiting() == 0);
      go_on.count_down();
      // These run, or not, while their tasks are destroyed.
      for (int i = 0; i < 50; ++i) {
        File file = co_await File::open(pool, folder.path("b" + std::to_string(i)), OpenOptions::create());
        Scope cancelled(co_await this_reactor);
        cancelled.spawn(file.write_at(0, sample(100'000)));
        co_await yield();  // it has begun to wait
        if (i % 2 == 0) co_await yield();
        cancelled.cancel();
      }
    });
    CHECK(ended);
  }
  CHECK(std::filesystem::file_size(folder.path("a")) == 3);
}

TEST_CASE("file: a cancelled write_all leaves the old content or the new, and nothing beside it") {
  test::ScratchFolder folder;
  folder.write("a", sample(1'000'000));
  Loop loop;
  for (int i = 0; i < 30; ++i) {
    {
      ThreadPool pool;
      Result<> ended = loop.run([&]() -> Task<> {
        Scope scope(co_await this_reactor);
        JoinHandle<void> writing =
            scope.spawn_joinable(File::write_all(pool, folder.path("a"), sample(1'000'000)));
        for (int turn = 0; turn < i; ++turn) co_await yield();
        writing.cancel();
      });
      CHECK(ended);
    }
    CHECK(std::filesystem::file_size(folder.path("a")) == 1'000'000);
    CHECK(entries(folder) == 1);
  }
}

TEST_CASE("file: many at once replace one file; it is always whole") {
  World world;
  Result<> ended = world.loop.run([&world]() -> Task<> {
    Scope scope(co_await this_reactor);
    const std::string path = world.folder.path("a");
    co_await File::write_all(world.pool, path, std::string(20'000, 'z'));
    for (char c = 'a'; c < 'i'; ++c) scope.spawn(File::write_all(world.pool, path, std::string(20'000, c)));
    for (int i = 0; i < 20; ++i) {
      std::string text = co_await File::read_all(world.pool, path, 20'000);
      CHECK((text == std::string(20'000, text.front())));
    }
    co_await scope.join();
  });
  CHECK(ended);
  CHECK(entries(world.folder) == 1);
}

TEST_CASE("file: remove and rename") {
  World world;
  world.folder.write("a", "a");
  world.folder.write("b", "b");
  std::filesystem::create_directory(world.folder.path("folder"));
  Result<> ended = world.loop.run([&world]() -> Task<> {
    const std::string a = world.folder.path("a");
    const std::string b = world.folder.path("b");
    co_await rename_file(world.pool, a, b);
    std::string text = co_await File::read_all(world.pool, b, 10);
    CHECK(text == "a");
    Result<> missing = co_await rename_file(world.pool, a, b).result();
    CHECK((!missing && missing.error() == Errc::not_found));
    CHECK(missing.error().message() == "rename " + a + ": No such file or directory");
    co_await remove_file(world.pool, b);
    Result<> again = co_await remove_file(world.pool, b).result();
    CHECK((!again && again.error() == Errc::not_found));
    Result<> folder = co_await remove_file(world.pool, world.folder.path("folder")).result();
    CHECK((!folder && folder.error() == Errc::invalid_argument));
    Result<> nul = co_await rename_file(world.pool, b, std::string("x\0y", 3)).result();
    CHECK((!nul && nul.error() == Errc::invalid_argument));
  });
  CHECK(ended);
}
