#include "support/read_and_write.h"

#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

namespace escapement::test {

std::string sample(std::size_t length) {
  std::string text(length, '\0');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>(i * 31 + (i >> 8) * 7 + (i >> 16));
  return text;
}

MutableBytes as_room(std::string& text) { return {reinterpret_cast<std::byte*>(text.data()), text.size()}; }

Task<std::string> read_all(Stream& stream) {
  std::string all;
  std::string room(5000, '\0');
  for (;;) {
    const std::size_t count = co_await stream.read(as_room(room));
    if (count == 0) co_return all;
    all.append(room, 0, count);
  }
}

Task<std::string> read_exactly(Stream& stream, std::size_t length) {
  std::string all;
  while (all.size() < length) {
    std::string room(length - all.size(), '\0');
    const std::size_t count = co_await stream.read(as_room(room));
    if (count == 0) co_await Error(Errc::bad_message, "the end came early");
    all.append(room, 0, count);
  }
  co_return all;
}

Task<std::string> read_what_comes(Stream& stream) {
  std::string all;
  std::string room(5000, '\0');
  for (;;) {
    Result<std::size_t> count = co_await stream.read(as_room(room)).result();
    if (!count) CHECK(count.error() == Errc::reset);
    if (!count || *count == 0) co_return all;
    all.append(room, 0, *count);
  }
}

Task<> write_all(Stream& stream, const std::string& text) {
  Random random(text.size());
  Bytes rest = as_bytes(text);
  while (!rest.empty()) {
    const std::size_t most = random.one_in(3) ? 10 : 20'000;
    const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + random.up_to(most));
    co_await stream.write(rest.first(piece));
    rest = rest.subspan(piece);
  }
  co_await stream.shutdown_write();
}

}  // namespace escapement::test
