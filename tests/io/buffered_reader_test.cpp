// BufferedReader: random operations against a reader of a plain string, over every kind of stream and over
// sequences; limits and ends, exactly; nothing lost.

#include <escapement/io/buffered_reader.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/generator.h>
#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/streams.h"

using namespace escapement;
using escapement::test::StreamKind;
using escapement::test::StreamPair;

namespace {

static_assert(AsyncSequence<BufferedReader::Lines>);

constexpr std::size_t limit = 12;

enum class Op { read, exactly, until_b, until_ab, line, short_line, frame, frame_little, peek, at_end };
constexpr std::size_t ops = 10;

// The same operations on a string that is there as a whole. Outcomes are texts.
class Model {
 public:
  explicit Model(std::string text) : rest_(std::move(text)) {}

  std::string apply(Op op, std::size_t n) {
    switch (op) {
      case Op::read: return take(std::min(n, rest_.size()), 0);
      case Op::exactly: return exactly(n);
      case Op::until_b: return until("b");
      case Op::until_ab: return until("ab");
      case Op::line: return line(limit);
      case Op::short_line: return line(n);
      case Op::frame: return frame(1, true, n);
      case Op::frame_little: return frame(2, false, limit);
      case Op::peek: return n > limit ? "limit" : '=' + rest_.substr(0, n);
      case Op::at_end: return rest_.empty() ? "true" : "false";
    }
    return "";
  }
  void skip(std::size_t count) { rest_.erase(0, count); }
  bool empty() const { return rest_.empty(); }

 private:
  std::string take(std::size_t count, std::size_t and_skip) {
    std::string taken = '=' + rest_.substr(0, count);
    rest_.erase(0, count + and_skip);
    return taken;
  }
  std::string exactly(std::size_t n) {
    if (n > limit) return "limit";
    return n > rest_.size() ? "early" : take(n, 0);
  }
  std::string until(const std::string& delimiter) {
    const std::size_t at = rest_.find(delimiter);
    if (at != rest_.npos) return at > limit ? "limit" : take(at, delimiter.size());
    if (rest_.size() > limit + delimiter.size() - 1) return "limit";
    return rest_.empty() ? "end" : "early";
  }
  std::string line(std::size_t most) {
    const std::size_t at = rest_.find('\n');
    if (at == rest_.npos) {
      if (rest_.size() > most) return "limit";
      return rest_.empty() ? "end" : take(rest_.size(), 0);
    }
    const std::size_t cr = at > 0 && rest_[at - 1] == '\r' ? 1 : 0;
    return at - cr > most ? "limit" : take(at - cr, cr + 1);
  }
  std::string frame(std::size_t size, bool big, std::size_t most) {
    if (rest_.empty()) return "end";
    if (rest_.size() < size) return "early";
    std::size_t length = static_cast<unsigned char>(rest_[big ? size - 1 : 0]);
    if (size == 2) length += 256U * static_cast<unsigned char>(rest_[big ? 0 : 1]);
    if (length > most) return "limit";
    if (rest_.size() < size + length) return "early";
    rest_.erase(0, size);
    return take(length, 0);
  }

  std::string rest_;
};

std::string outcome(const Error& error) {
  return error == Errc::limit_exceeded ? "limit" : error == Errc::reset ? "early" : to_string(error);
}
std::string outcome(const Result<std::string>& text) { return text ? '=' + *text : outcome(text.error()); }
std::string outcome(const Result<std::optional<std::string>>& text) {
  if (!text) return outcome(text.error());
  return *text ? '=' + **text : "end";
}

Task<std::string> apply(BufferedReader& reader, Op op, std::size_t n) {
  if (op == Op::read) {
    std::vector<std::byte> room(n);
    const std::size_t count = co_await reader.read(room);
    co_return '=' + std::string(as_text(Bytes(room).first(count)));
  }
  if (op == Op::exactly) {
    Result<std::string> text = co_await reader.read_exactly(n).result();
    co_return outcome(text);
  }
  if (op == Op::peek) {
    Result<std::string_view> text = co_await reader.peek(n).result();
    co_return text ? '=' + std::string(*text) : outcome(text.error());
  }
  if (op == Op::at_end) {
    const bool end = co_await reader.at_end();
    co_return end ? "true" : "false";
  }
  Task<std::optional<std::string>> task = [&] {
    switch (op) {
      case Op::until_b: return reader.read_until("b", limit);
      case Op::until_ab: return reader.read_until("ab");
      case Op::line: return reader.line();
      case Op::short_line: return reader.line(n);
      case Op::frame: return reader.frame(1, ByteOrder::big, n);
      default: return reader.frame(2, ByteOrder::little);
    }
  }();
  Result<std::optional<std::string>> text = co_await std::move(task).result();
  co_return outcome(text);
}

// Plays random operations. A read may yield fewer bytes than there are, so the model follows it.
Task<std::string> play(BufferedReader& reader, Random& random, std::string text) {
  Model model(text);
  for (int i = 0; i < 10'000; ++i) {
    const Op op = static_cast<Op>(random.up_to(ops - 1));
    const std::size_t n = 1 + random.up_to(limit);
    std::string got = co_await apply(reader, op, n);
    if (op == Op::read && !model.empty()) {
      const std::string expected = Model(model).apply(op, n);
      if (got.size() < 2 || !expected.starts_with(got)) co_return "read " + got + " of " + expected;
      model.skip(got.size() - 1);
      continue;
    }
    std::string expected = model.apply(op, n);
    if (got != expected) {
      co_return std::to_string(static_cast<int>(op)) + ' ' + std::to_string(n) + ": " + got + " for " +
          expected;
    }
    if (got == "end") co_return "end";
    if ((got != "limit" && got != "early") || model.empty()) continue;
    std::string skipped = co_await reader.read_exactly(1);
    if (skipped != model.apply(Op::exactly, 1).substr(1)) co_return "lost a byte after " + got;
  }
  co_return "too long";
}

std::string random_text(Random& random) {
  std::string text;
  const std::string_view letters("ab\r\n\n\r\x01\x03\0x", 10);
  for (std::size_t left = random.up_to(200); left > 0; --left)
    text += letters[random.up_to(letters.size() - 1)];
  return text;
}

Task<> send_in_pieces(Stream& stream, std::string text, std::uint64_t seed) {
  Random random(seed);
  std::string_view left = text;
  while (!left.empty()) {
    const std::string_view piece = left.substr(0, 1 + random.up_to(20));
    co_await stream.write(as_bytes(piece));
    left.remove_prefix(piece.size());
    if (random.one_in(4)) co_await yield();
  }
  co_await stream.shutdown_write();
}

Generator<std::string> in_pieces(std::string text, std::uint64_t seed) {
  Random random(seed);
  std::string_view left = text;
  while (!left.empty()) {
    const std::string_view piece = left.substr(0, random.up_to(9));
    left.remove_prefix(piece.size());
    if (random.one_in(4)) co_await sleep(1ms);
    co_yield std::string(piece);
  }
}

BufferOptions options(std::size_t read_size) {
  BufferOptions options;
  options.read_size = read_size;
  options.limit = limit;
  return options;
}

// Runs `use(reader)` on a reader of `text`, which arrives byte by byte.
template <class F>
void with_bytes(std::string text, F use) {
  Sim sim;
  PipeEnds ends = pipe(PipeOptions{.read_max = 1});
  BufferedReader reader(*ends.second, options(64));
  Scope scope(sim.reactor());
  scope.spawn(send_in_pieces(*ends.first, std::move(text), 1));
  Result<> result = sim.run(use(reader));
  if (!result) FAIL(to_string(result.error()));
}

}  // namespace

TEST_CASE("BufferedReader: agrees with a reader of a string, over every kind of stream") {
  for (const StreamKind& kind : test::portable_streams()) {
    auto world = kind.make();
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      auto game = [&]() -> Task<std::string> {
        Random random(seed);
        StreamPair pair = co_await world->open();
        const std::string text = random_text(random);
        Reactor& reactor = co_await this_reactor;
        Scope scope(reactor);
        scope.spawn(send_in_pieces(*pair.first, text, seed));
        BufferedReader reader(*pair.second, options(1 + random.up_to(40)));
        std::string verdict = co_await play(reader, random, text);
        co_return verdict;
      };
      Result<std::string> verdict = world->reactor().run(game());
      INFO(kind.name << ", seed " << seed);
      CHECK(*verdict == "end");
    }
  }
}

TEST_CASE("BufferedReader: agrees with a reader of a string, over a sequence") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Sim sim;
    Random random(seed);
    const std::string text = random_text(random);
    BufferedReader reader(in_pieces(text, seed), options(8));
    INFO("seed " << seed);
    CHECK(*sim.run(play(reader, random, text)) == "end");
  }
}

TEST_CASE("BufferedReader: lines end with LF or CR LF, and the last one may lack both") {
  const std::string last = GENERATE("", "\n", "\r\n", "x", "x\n", "x\r");
  with_bytes("a\r\n\nb\rc\n" + last, [&](BufferedReader& reader) -> Task<> {
    std::vector<std::string> lines = co_await collect(reader.lines(), 10);
    std::vector<std::string> expected{"a", "", "b\rc"};
    if (!last.empty()) expected.push_back(last == "x\r" ? last : last.starts_with('x') ? "x" : "");
    CHECK(lines == expected);
  });
}

TEST_CASE("BufferedReader: a limit is exact, and what went past it can still be read") {
  with_bytes("123456\r\n12345\r\n12345", [](BufferedReader& reader) -> Task<> {
    Result<std::optional<std::string>> line = co_await reader.line(5).result();
    REQUIRE(!line);
    CHECK(line.error() == Errc::limit_exceeded);
    CHECK(line.error().message() == "a line of more than 5 bytes");
    std::optional<std::string> raised = co_await reader.line(6);
    CHECK(raised == "123456");
    std::optional<std::string> fits = co_await reader.line(5);
    CHECK(fits == "12345");
    std::optional<std::string> last = co_await reader.line(5);
    CHECK(last == "12345");
    std::optional<std::string> end = co_await reader.line(0);
    CHECK(!end);
  });
  with_bytes(std::string("\0\x0d", 2), [](BufferedReader& reader) -> Task<> {
    Result<std::optional<std::string>> frame = co_await reader.frame(2).result();
    REQUIRE(!frame);
    CHECK(frame.error() == Errc::limit_exceeded);
    std::string header = co_await reader.read_exactly(2);
    CHECK(header == std::string("\0\x0d", 2));
  });
  // The longest length there is does not overflow.
  with_bytes(std::string(8, '\xff'), [](BufferedReader& reader) -> Task<> {
    Result<std::optional<std::string>> frame = co_await reader.frame(8, ByteOrder::big, limit).result();
    CHECK(frame.error() == Errc::limit_exceeded);
    frame = co_await reader.frame(8, ByteOrder::big, std::string::npos).result();
    CHECK(frame.error() == Errc::limit_exceeded);
  });
}

TEST_CASE("BufferedReader: an end in the middle is a reset that says of what, and keeps the bytes") {
  with_bytes("abc", [](BufferedReader& reader) -> Task<> {
    Result<std::string> four = co_await reader.read_exactly(4).result();
    REQUIRE(!four);
    CHECK(four.error() == Errc::reset);
    CHECK(four.error().message() == "the input ended before the end of 4 bytes, with 3 bytes left");
    Result<std::optional<std::string>> until = co_await reader.read_until("\n").result();
    CHECK(until.error().message() == "the input ended before the end of a delimited part, with 3 bytes left");
    CHECK(reader.buffered() == "abc");
    reader.consume(1);
    CHECK(reader.take_buffered() == "bc");
    std::string none = co_await reader.read_exactly(0);
    CHECK(none.empty());
    std::optional<std::string> frame = co_await reader.frame(4);
    CHECK(!frame);
  });
}

TEST_CASE("BufferedReader: an operation that is cancelled loses nothing") {
  Sim sim;
  PipeEnds ends = pipe();
  BufferedReader reader(std::move(ends.second));
  auto use = [&]() -> Task<> {
    co_await ends.first->write(as_bytes("one "));
    Result<std::optional<std::string>> line = co_await with_timeout(1ms, reader.line()).result();
    CHECK(line.error() == Errc::timed_out);
    Result<std::string> many = co_await with_timeout(1ms, reader.read_exactly(100)).result();
    CHECK(many.error() == Errc::timed_out);
    co_await ends.first->write(as_bytes("line\nrest"));
    std::optional<std::string> whole = co_await reader.line();
    CHECK(whole == "one line");
    BufferedReader moved(std::move(reader));
    std::string rest = co_await moved.read_exactly(4);
    CHECK(rest == "rest");
    ends.first.reset();
    const bool end = co_await moved.at_end();
    CHECK(end);
  };
  CHECK(sim.run(use()));
}

TEST_CASE("BufferedReader: fails as its source fails; what came before can be read") {
  Sim sim;
  auto broken = []() -> Generator<std::string> {
    co_yield "a\nb";
    co_await Error(Errc::unavailable, "broken");
  };
  auto use = [&]() -> Task<> {
    BufferedReader reader(broken());
    std::optional<std::string> line = co_await reader.line();
    CHECK(line == "a");
    Result<std::optional<std::string>> next = co_await reader.line().result();
    CHECK(next.error() == Errc::unavailable);
    CHECK(reader.buffered() == "b");
  };
  CHECK(sim.run(use()));
}
