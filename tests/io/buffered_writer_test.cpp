// BufferedWriter: what is sent, in which writes, and what happens to the rest.

#include <escapement/io/buffered_writer.h>

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/timeout.h>

#include "support/recording_stream.h"
#include "support/streams.h"

using namespace escapement;
using escapement::test::RecordingStream;
using escapement::test::StreamKind;
using escapement::test::StreamPair;
using Texts = std::vector<std::string>;

TEST_CASE("BufferedWriter: gathers writes up to the high-water mark, and copies no large one") {
  Sim sim;
  RecordingStream stream;
  auto use = [&]() -> Task<> {
    BufferedWriter writer(stream, 8);
    co_await writer.write("ab");
    co_await writer.write("cdefgh");
    CHECK(writer.buffered() == 8);
    CHECK(stream.written.empty());
    co_await writer.write("i");
    CHECK(stream.written == Texts{"abcdefgh"});
    co_await writer.write("jklmnopqr");
    CHECK(stream.written == Texts{"abcdefgh", "i", "jklmnopqr"});
    co_await writer.flush();
    CHECK(stream.written.size() == 3);
    CHECK(writer.write_now("12345678"));
    CHECK_FALSE(writer.write_now("9"));
    co_await writer.shutdown_write();
    CHECK(stream.written == Texts{"abcdefgh", "i", "jklmnopqr", "12345678", "end"});
    BufferedWriter unbuffered(stream, 0);
    co_await unbuffered.write("x");
    CHECK(stream.written.back() == "x");
  };
  CHECK(sim.run(use()));
}

TEST_CASE("BufferedWriter: every byte arrives in order, over every kind of stream") {
  for (const StreamKind& kind : test::portable_streams()) {
    auto world = kind.make();
    auto game = [&]() -> Task<bool> {
      Random random(7);
      StreamPair pair = co_await world->open();
      std::string sent;
      std::string received;
      auto receive = [&]() -> Task<> {
        std::vector<std::byte> room(100);
        for (;;) {
          const std::size_t count = co_await pair.second->read(room);
          if (count == 0) co_return;
          received += as_text(Bytes(room).first(count));
        }
      };
      auto send = [&]() -> Task<> {
        BufferedWriter writer(*pair.first, 50);
        for (int i = 0; i < 300; ++i) {
          const std::string piece(random.up_to(80), static_cast<char>('a' + i % 26));
          co_await writer.write(piece);
          sent += piece;
          if (random.one_in(10)) co_await writer.flush();
        }
        co_await writer.shutdown_write();
      };
      co_await all(receive(), send());
      co_return sent == received;
    };
    INFO(kind.name);
    CHECK(*world->reactor().run(game()));
  }
}

TEST_CASE("BufferedWriter: a full buffer waits for the peer") {
  Sim sim;
  PipeEnds ends = pipe(PipeOptions{.capacity = 10});
  BufferedWriter writer(*ends.first, 10);
  std::string log;
  auto write = [&]() -> Task<> {
    for (int i = 0; i < 3; ++i) {
      co_await writer.write("0123456789");
      log += 'w';
    }
    co_await writer.flush();
  };
  Scope scope(sim.reactor());
  scope.spawn(write());
  sim.settle();
  CHECK(log == "ww");  // one batch with the peer, one in the buffer
  auto read = [&]() -> Task<> {
    std::vector<std::byte> room(30);
    std::size_t count = 0;
    while (count < 30) {
      const std::size_t more = co_await ends.second->read(room);
      count += more;
    }
  };
  CHECK(sim.run(read()));
  sim.settle();
  CHECK(log == "www");
}

TEST_CASE("BufferedWriter: a failure is that of every later operation, and is not reported again") {
  Sim sim;
  int reported = 0;
  sim.reactor().on_unhandled_failure([&](const Error&) { ++reported; });
  RecordingStream stream;
  auto use = [&]() -> Task<> {
    BufferedWriter writer(stream, 8);
    co_await writer.write("abc");
    stream.fails = true;
    Result<> flushed = co_await writer.flush().result();
    REQUIRE(!flushed);
    CHECK(flushed.error().message() == "the peer is gone");
    Result<> again = co_await writer.write("a long text that does not fit").result();
    CHECK(again.error().message() == "the peer is gone");
    CHECK_FALSE(writer.write_now("x"));
  };
  CHECK(sim.run(use()));
  CHECK(reported == 0);
}

TEST_CASE("BufferedWriter: a flush that is cancelled breaks the writer") {
  Sim sim;
  RecordingStream stream;
  auto use = [&]() -> Task<> {
    BufferedWriter writer(stream, 8);
    co_await writer.write("abc");
    stream.may_write.reset();
    Result<> flushed = co_await with_timeout(1ms, writer.flush()).result();
    CHECK(flushed.error() == Errc::timed_out);
    stream.may_write.set();
    Result<> again = co_await writer.flush().result();
    REQUIRE(!again);
    CHECK(again.error() == Errc::reset);
  };
  CHECK(sim.run(use()));
  CHECK(stream.written.empty());
}

TEST_CASE("BufferedWriter: destroyed with bytes that were not flushed, it sends them or says so") {
  Sim sim;
  std::vector<std::string> reported;
  sim.reactor().on_unhandled_failure([&](const Error& error) { reported.push_back(error.message()); });
  auto stream = std::make_unique<RecordingStream>();
  RecordingStream& recorded = *stream;
  const int how = GENERATE(0, 1, 2);
  recorded.takes_at_once = how == 0;
  auto keeps = std::make_shared<BufferedWriter>(std::move(stream));
  auto use = [&]() -> Task<> {
    co_await keeps->write("abc");
    if (how == 2) keeps->discard();
  };
  Texts written;
  CHECK(sim.run(use()));
  CHECK(recorded.written.empty());
  if (how == 0) {
    std::shared_ptr<Stream> shared = std::make_unique<RecordingStream>();
    auto& other = static_cast<RecordingStream&>(*shared);
    other.takes_at_once = true;
    {
      BufferedWriter writer(shared);
      CHECK(writer.write_now("xyz"));
    }
    written = other.written;
    CHECK(written == Texts{"xyz"});
  }
  keeps.reset();
  const Texts lost{"a BufferedWriter was destroyed with 3 bytes that were not flushed"};
  CHECK(reported == (how == 1 ? lost : Texts()));
}
