// Streams from pipes, terminals, socket pairs and inherited descriptors.

#include <escapement/io/native/descriptor.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"
#include "support/read_and_write.h"
#include "support/scratch_folder.h"
#include "support/socket_streams.h"
#include "support/stream_contract.h"

using namespace escapement;
using test::make_loop;

namespace {

struct PipeFds {
  posix::Fd read;
  posix::Fd write;
};

PipeFds make_pipe() {
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  return PipeFds{posix::Fd(fds[0]), posix::Fd(fds[1])};
}

PipeFds socket_pair(int type) {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, type, 0, fds.data()) == 0);
  return PipeFds{posix::Fd(fds[0]), posix::Fd(fds[1])};
}

bool blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }
bool open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

std::unique_ptr<Stream> stream_of(Loop& loop, posix::Fd& fd) {
  Result<std::unique_ptr<Stream>> made = descriptor_stream(loop.backend(), std::move(fd));
  REQUIRE(made);
  return *std::move(made);
}

// Two ends of a socketpair, for the Stream contract.
class PairWorld final : public test::StreamWorld {
 public:
  explicit PairWorld(const std::string& backend) : loop_(make_loop(backend)) {}
  Reactor& reactor() override { return loop_->reactor(); }
  Task<test::StreamPair> open() override {
    PipeFds fds = socket_pair(SOCK_STREAM);
    std::unique_ptr<Stream> first = stream_of(*loop_, fds.read);
    std::unique_ptr<Stream> second = stream_of(*loop_, fds.write);
    co_return test::StreamPair(std::move(first), std::move(second));
  }

 private:
  std::unique_ptr<Loop> loop_;
};

}  // namespace

TEST_CASE("descriptor: a socketpair keeps the Stream contract") {
  std::vector<test::StreamKind> kinds;
  for (const std::string& backend : test::backends()) {
    kinds.push_back(
        {"socketpair over " + backend, [backend] { return std::make_unique<PairWorld>(backend); }, false});
  }
  test::check_stream_contract(kinds);
}

TEST_CASE("descriptor: bytes go through a pipe whole; its end, and its reader's, are noticed") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    PipeFds fds = make_pipe();
    std::unique_ptr<Stream> reader = stream_of(*loop, fds.read);
    std::unique_ptr<Stream> writer = stream_of(*loop, fds.write);
    const std::string big = test::sample(1'000'000);
    std::tuple<std::monostate, std::string> done =
        co_await all(test::write_all(*writer, big), test::read_all(*reader));
    CHECK((std::get<1>(done) == big));
    // write_all half-closed, which closes a pipe.
    Result<> late = co_await writer->write(as_bytes("late")).result();
    CHECK(late.error() == Errc::reset);
    std::string room(10, '\0');
    std::size_t end = co_await reader->read(test::as_room(room));
    CHECK(end == 0);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: a write to a pipe without a reader fails, also one that waits, and raises no signal") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    PipeFds fds = make_pipe();
    std::unique_ptr<Stream> writer = stream_of(*loop, fds.write);
    Scope scope(co_await this_reactor);
    const std::string big(1'000'000, 'b');
    JoinHandle<void> writing = scope.spawn_joinable(writer->write(as_bytes(big)));
    co_await sleep(5ms);
    CHECK(!writing.finished());
    CHECK(!writer->readable_or_closed());
    fds.read.reset();
    Result<> broken = co_await std::move(writing).join().result();
    CHECK(broken.error() == Errc::reset);
    CHECK(writer->readable_or_closed());
    Result<> again = co_await writer->write(as_bytes("x")).result();
    CHECK(again.error() == Errc::reset);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: one direction cannot be used as the other, and says so") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    PipeFds fds = make_pipe();
    const int number = fds.read.get();
    std::unique_ptr<Stream> reader = stream_of(*loop, fds.read);
    std::unique_ptr<Stream> writer = stream_of(*loop, fds.write);
    CHECK(reader->peer() == "descriptor " + std::to_string(number));
    Result<> written = co_await reader->write(as_bytes("x")).result();
    CHECK(written.error() == Errc::invalid_argument);
    CHECK(written.error().message() ==
          "write to descriptor " + std::to_string(number) + ": it was not opened for that direction");
    Result<> half = co_await reader->shutdown_write().result();
    CHECK(half.error() == Errc::unsupported);
    std::string room(1, '\0');
    for (int i = 0; i < 2; ++i) {
      Result<std::size_t> read = co_await writer->read(test::as_room(room)).result();
      CHECK(read.error() == Errc::invalid_argument);
    }
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: a read that is cancelled, and the bytes after it, are nobody's loss") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    PipeFds fds = make_pipe();
    std::unique_ptr<Stream> reader = stream_of(*loop, fds.read);
    std::string room(10, '\0');
    Result<std::size_t> nothing = co_await with_timeout(2ms, reader->read(test::as_room(room))).result();
    CHECK(nothing.error() == Errc::timed_out);
    REQUIRE(::write(fds.write.get(), "here", 4) == 4);
    std::size_t count = co_await reader->read(test::as_room(room));
    CHECK(room.substr(0, count) == "here");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: what was blocking is blocking again, what was borrowed stays open") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  PipeFds fds = make_pipe();
  {
    Result<std::unique_ptr<Stream>> lent =
        borrowed_descriptor_stream(loop->backend(), fds.read.get(), "lent");
    REQUIRE(lent);
    CHECK((*lent)->peer() == "lent");
    CHECK(!blocking(fds.read.get()));
    CHECK(loop->run((*lent)->shutdown_write()).error() == Errc::unsupported);
  }
  CHECK(open(fds.read.get()));
  CHECK(blocking(fds.read.get()));
  // A non-blocking one stays so.
  REQUIRE(::fcntl(fds.read.get(), F_SETFL, O_NONBLOCK) == 0);
  {
    REQUIRE(borrowed_descriptor_stream(loop->backend(), fds.read.get()));
  }
  CHECK(!blocking(fds.read.get()));
  // An owned one is closed; what shares its open file finds it blocking again.
  const posix::Fd duplicate(::dup(fds.write.get()));
  const int number = fds.write.get();
  {
    std::unique_ptr<Stream> owned = stream_of(*loop, fds.write);
    CHECK(!fds.write);
    CHECK(!blocking(duplicate.get()));
  }
  CHECK(!open(number));
  CHECK(blocking(duplicate.get()));
}

TEST_CASE("descriptor: the end of a stream leaves nothing in the poller, though others share its open file") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  auto run = [&]() -> Task<> {
    PipeFds fds = make_pipe();
    const posix::Fd shared(::dup(fds.read.get()));
    std::unique_ptr<Stream> reader = stream_of(*loop, fds.read);
    std::string room(10, '\0');
    Result<std::size_t> nothing = co_await with_timeout(1ms, reader->read(test::as_room(room))).result();
    CHECK(!nothing);
    reader.reset();
    REQUIRE(::write(fds.write.get(), "x", 1) == 1);
    pollfd events{loop->pollable_fd(), POLLIN, 0};
    CHECK(::poll(&events, 1, 0) == 0);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: a terminal gives line after line, and its other side's end is the end") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    posix::Fd master(::posix_openpt(O_RDWR | O_NOCTTY));
    REQUIRE(master);
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    posix::Fd terminal(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY));
    REQUIRE(terminal);
    termios settings{};
    ::tcgetattr(terminal.get(), &settings);
    settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(terminal.get(), TCSANOW, &settings);
    std::unique_ptr<Stream> screen = stream_of(*loop, master);
    std::unique_ptr<Stream> program = stream_of(*loop, terminal);
    co_await screen->write(as_bytes("one\ntwo\n"));
    std::string room(100, '\0');
    std::string got;
    while (got.size() < 8) {
      std::size_t count = co_await program->read(test::as_room(room));
      got.append(room, 0, count);
    }
    CHECK(got == "one\ntwo\n");
    Result<> half = co_await program->shutdown_write().result();
    CHECK(half.error() == Errc::unsupported);
    co_await program->write(as_bytes("bye"));
    program.reset();
    std::string last = co_await test::read_all(*screen);
    CHECK(last == "bye");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: a read or a write that cannot wait fails, and works when it can") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  auto run = [&]() -> Task<> {
    PipeFds fds = make_pipe();
    const posix::Fd other(::dup(fds.write.get()));
    std::unique_ptr<Stream> reader = stream_of(*loop, fds.read);
    std::unique_ptr<Stream> writer = stream_of(*loop, fds.write);
    std::string room(10, '\0');
    const std::string big(1'000'000, 'b');
    {
      test::FailingCall fault(test::Call::epoll_ctl_add, ENOSPC);
      Result<std::size_t> unread = co_await reader->read(test::as_room(room)).result();
      CHECK(unread.error() == Errc::overloaded);
      Result<> unwritten = co_await writer->write(as_bytes(big)).result();
      CHECK(unwritten.error() == Errc::overloaded);
    }
    std::size_t count = co_await reader->read(test::as_room(room));
    CHECK(room.substr(0, count) == std::string(count, 'b'));
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: /dev/null takes everything and ends at once") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    posix::Fd fd(::open("/dev/null", O_RDWR));
    std::unique_ptr<Stream> null = stream_of(*loop, fd);
    co_await null->write(as_bytes("nothing"));
    std::string all = co_await test::read_all(*null);
    CHECK(all.empty());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("descriptor: what cannot be a stream is refused, with the alternative, and is left as it was") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  folder.write("file", "text");
  const auto refused = [&](posix::Fd& fd, std::string_view instead) {
    REQUIRE(fd);
    Result<std::unique_ptr<Stream>> made = descriptor_stream(loop->backend(), std::move(fd), "it");
    REQUIRE(!made);
    CHECK(made.error() == Errc::invalid_argument);
    CHECK(made.error().message().starts_with("a stream from it: "));
    CAPTURE(made.error().message());
    CHECK(made.error().message().find(instead) != std::string::npos);
    CHECK(open(fd.get()));
    CHECK(blocking(fd.get()));
  };
  posix::Fd file(::open(folder.path("file").c_str(), O_RDONLY));
  refused(file, "offload");
  posix::Fd directory(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
  refused(directory, "offload");
  PipeFds datagrams = socket_pair(SOCK_DGRAM);
  refused(datagrams.read, "UdpSocket");
  posix::Fd listening(::socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(::listen(listening.get(), 1) == 0);
  refused(listening, "Listener");
  Result<std::unique_ptr<Stream>> none = borrowed_descriptor_stream(loop->backend(), 9999);
  CHECK(none.error() == Errc::invalid_argument);
  CHECK(none.error().message() == "a stream from descriptor 9999: Bad file descriptor");
  CHECK(borrowed_descriptor_stream(loop->backend(), -1).error() == Errc::invalid_argument);
}
