// copy, copy_both and split: every byte, limits, half-closes, idle limits.

#include <escapement/io/copy.h>

#include <string>
#include <utility>
#include <vector>

#ifdef __cpp_exceptions
#include <stdexcept>
#endif

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/buffered_reader.h>
#include <escapement/io/buffered_writer.h>
#include <escapement/io/sim/sim.h>
#include <escapement/io/split.h>

#include "support/recording_stream.h"
#include "support/streams.h"

using namespace escapement;
using escapement::test::RecordingStream;
using escapement::test::StreamKind;
using escapement::test::StreamPair;

namespace {

std::string numbered(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

Task<> send(Stream& stream, std::string text) {
  co_await stream.write(as_bytes(text));
  co_await stream.shutdown_write();
}

Task<std::string> receive(Stream& stream) {
  std::string all;
  std::vector<std::byte> room(1000);
  for (;;) {
    const std::size_t count = co_await stream.read(room);
    if (count == 0) co_return std::move(all);
    all += as_text(Bytes(room).first(count));
  }
}

CopyOptions limited(std::uint64_t limit) {
  CopyOptions options;
  options.limit = limit;
  return options;
}

// A proxy between two pipes: what is written to `client` comes out of `server`.
struct Proxy {
  explicit Proxy(Duration idle) {
    PipeEnds left = pipe();
    PipeEnds right = pipe();
    client = std::move(left.first);
    near = std::move(left.second);
    far = std::move(right.first);
    server = std::move(right.second);
    limit = idle;
  }
  Task<> run() {
    Result<BothCopied> result = co_await copy_both(*near, *far, limit).result();
    outcome.emplace(std::move(result));
    near.reset();
    far.reset();
  }
  Duration limit;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> near;
  std::unique_ptr<Stream> far;
  std::unique_ptr<Stream> server;
  std::optional<Result<BothCopied>> outcome;
};

}  // namespace

TEST_CASE("copy: every byte in order, from every kind of stream to every kind") {
  for (const StreamKind& kind : test::portable_streams()) {
    auto world = kind.make();
    for (const std::size_t buffer : {std::size_t{1}, std::size_t{7}, 16 * KiB}) {
      auto game = [&]() -> Task<bool> {
        const std::string text = numbered(3000);
        StreamPair in = co_await world->open();
        StreamPair out = co_await world->open();
        std::uint64_t told = 0;
        bool grows = true;
        CopyOptions options;
        options.buffer = buffer;
        options.shut_down = true;
        options.progress = [&](std::uint64_t copied) {
          grows = grows && copied > told;
          told = copied;
        };
        auto [sent, copied, received] = co_await all(
            send(*in.first, text), copy(*in.second, *out.first, std::move(options)), receive(*out.second));
        co_return grows&& told == text.size() && copied == text.size() && received == text;
      };
      INFO(kind.name << ", buffer of " << buffer);
      CHECK(*world->reactor().run(game()));
    }
  }
}

TEST_CASE("copy: a limit of bytes, exactly") {
  Sim sim;
  const std::size_t size = GENERATE(0U, 1U, 9U, 10U, 11U, 100U);
  RecordingStream to;
  auto use = [&]() -> Task<> {
    PipeEnds ends = pipe(PipeOptions{.read_max = 3});
    co_await send(*ends.first, numbered(size));
    Result<std::uint64_t> copied = co_await copy(*ends.second, to, limited(10)).result();
    std::string written;
    for (const std::string& piece : to.written) written += piece;
    CHECK(written == numbered(std::min<std::size_t>(size, 10)));
    if (size <= 10) {
      CHECK(*copied == size);
    } else {
      REQUIRE(!copied);
      CHECK(copied.error() == Errc::limit_exceeded);
      CHECK(copied.error().message() == "a copy of more than 10 bytes");
    }
  };
  CHECK(sim.run(use()));
}

TEST_CASE("copy: fails as either side fails, and as the progress function does") {
  Sim sim;
  auto use = [&]() -> Task<> {
    PipeEnds ends = pipe();
    co_await send(*ends.first, "abc");
    RecordingStream to;
    to.fails = true;
    Result<std::uint64_t> copied = co_await copy(*ends.second, to).result();
    CHECK(copied.error().message() == "the peer is gone");
    PipeEnds broken = pipe();
    broken.first->reset_on_close();
    broken.first.reset();
    Result<std::uint64_t> none = co_await copy(*broken.second, to).result();
    CHECK(none.error() == Errc::reset);
#ifdef __cpp_exceptions
    PipeEnds more = pipe();
    co_await send(*more.first, "abc");
    RecordingStream sink;
    CopyOptions options;
    options.progress = [](std::uint64_t) { throw std::runtime_error("enough"); };
    Result<std::uint64_t> stopped = co_await copy(*more.second, sink, std::move(options)).result();
    CHECK(stopped.error().message() == "enough");
#endif
  };
  CHECK(sim.run(use()));
}

TEST_CASE("copy: what a reader has read ahead is part of it, and a writer may gather") {
  Sim sim;
  RecordingStream to;
  auto use = [&]() -> Task<> {
    PipeEnds ends = pipe(PipeOptions{.read_max = 4});
    co_await send(*ends.first, "head\nand the rest");
    BufferedReader from(*ends.second);
    std::optional<std::string> head = co_await from.line();
    CHECK(head == "head");
    BufferedWriter writer(to);
    const std::uint64_t copied = co_await copy(from, writer);
    CHECK(copied == 12);
    co_await writer.flush();
  };
  CHECK(sim.run(use()));
  CHECK(to.written == std::vector<std::string>{"and the rest"});
}

TEST_CASE("copy_both: both directions, half-closes passed on, over every kind of stream") {
  for (const StreamKind& kind : test::portable_streams()) {
    auto world = kind.make();
    auto game = [&]() -> Task<bool> {
      StreamPair left = co_await world->open();
      StreamPair right = co_await world->open();
      // The server answers only when the client has ended.
      auto serve = [](Stream& stream) -> Task<std::string> {
        std::string question = co_await receive(stream);
        co_await send(stream, "answer to " + std::to_string(question.size()));
        co_return std::move(question);
      };
      auto [sent, counts, answer, question] =
          co_await all(send(*left.first, numbered(2000)), copy_both(*left.second, *right.first, 1h),
                       receive(*left.first), serve(*right.second));
      co_return answer == "answer to 2000" && question == numbered(2000) && counts.to_second == 2000 &&
          counts.to_first == answer.size();
    };
    INFO(kind.name);
    CHECK(*world->reactor().run(game()));
  }
}

TEST_CASE("copy_both: the idle limit counts from the last byte of either direction, exactly") {
  Sim sim;
  Proxy proxy(30s);
  Scope scope(sim.reactor());
  scope.spawn(proxy.run());
  auto talk = [&]() -> Task<> {
    for (int i = 0; i < 3; ++i) {
      co_await sleep(29s);
      co_await proxy.client->write(as_bytes("ping"));
      co_await sleep(29s);
      co_await proxy.server->write(as_bytes("pong"));
    }
    co_await sleep(29'999ms);
    CHECK_FALSE(proxy.outcome);
    co_await sleep(2ms);
    REQUIRE(proxy.outcome);
    const Error error = std::move(*proxy.outcome).error();
    CHECK(error == Errc::timed_out);
    CHECK(error.message() == "no byte in either direction within 30s");
    CHECK(error.elapsed() == 30s);
  };
  CHECK(sim.run(talk()));
}

TEST_CASE("copy_both: no limit; a direction that fails cancels the other") {
  Sim sim;
  Proxy proxy(Duration::max());
  Scope scope(sim.reactor());
  scope.spawn(proxy.run());
  sim.advance(1000h);
  CHECK_FALSE(proxy.outcome);
  proxy.server->reset_on_close();
  proxy.server.reset();
  sim.settle();
  REQUIRE(proxy.outcome);
  CHECK(std::move(*proxy.outcome).error() == Errc::reset);
}

TEST_CASE("split: two tasks that live apart; the stream closes with the second half") {
  Sim sim;
  PipeEnds ends = pipe();
  auto use = [&]() -> Task<> {
    StreamHalves halves = split(std::move(ends.first));
    auto write = [](WriteHalf half) -> Task<> {
      co_await half.write(as_bytes("hello"));
      co_await half.shutdown_write();
    };
    auto read = [](ReadHalf half) -> Task<std::string> {
      BufferedReader reader(std::move(half).stream());
      std::string text = co_await reader.read_exactly(5);
      co_return std::move(text);
    };
    CHECK(halves.reader.peer() == "pipe");
    CHECK(halves.writer.peer() == "pipe");
    co_await write(std::move(halves.writer));
    std::string got = co_await receive(*ends.second);
    CHECK(got == "hello");
    CHECK_FALSE(ends.second->write_closed());
    co_await ends.second->write(as_bytes("world"));
    std::string back = co_await read(std::move(halves.reader));
    CHECK(back == "world");
    Result<> late = co_await ends.second->write(as_bytes("late")).result();
    CHECK(!late);
  };
  CHECK(sim.run(use()));
}
