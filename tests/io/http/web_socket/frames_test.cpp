// Frames: RFC 6455's examples, and for each rule of the protocol a frame that breaks it, in every split.

#include <escapement/io/http/web_socket/frames.h>

#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/random.h>
#include <escapement/io/http/web_socket/sha1.h>
#include <escapement/io/web_socket.h>

using namespace escapement;
using namespace escapement::http::detail;
using namespace std::string_literals;

namespace {

std::string describe(const FrameEvent& event) {
  switch (event.kind) {
    case Opcode::text: return "text " + event.data + "; ";
    case Opcode::binary: return "binary " + std::to_string(event.data.size()) + "; ";
    case Opcode::ping: return "ping " + event.data + "; ";
    case Opcode::pong: return "pong " + event.data + "; ";
    case Opcode::close: return "close " + std::to_string(event.code) + " " + event.data + "; ";
    default: return "?";
  }
}

// Returns the events that a parser sees in `bytes`, which come in pieces of `size`, and the code of its
// failure.
std::string read(std::string_view bytes, std::size_t size, WebSocketRole role = WebSocketRole::client,
                 std::size_t message_max = 1000) {
  FrameParser parser(role, message_max);
  std::string said;
  while (!bytes.empty()) {
    Bytes piece = as_bytes(bytes.substr(0, size));
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      std::optional<FrameEvent> event;
      piece = piece.subspan(parser.take(piece, event));
      if (event) said += describe(*event);
      if (parser.failure() != nullptr) return said + std::to_string(parser.failure_code());
    }
  }
  return said;
}

// A frame of a server, in hexadecimal what it begins with.
std::string frame(int first, std::string_view payload) {
  std::string bytes(1, static_cast<char>(first));
  bytes += static_cast<char>(payload.size());
  return bytes + std::string(payload);
}

}  // namespace

TEST_CASE("frames: the examples of RFC 6455 section 5.7") {
  const std::size_t size = GENERATE(1, 2, 3, 1000);
  CHECK(read("\x81\x05Hello", size) == "text Hello; ");
  CHECK(read("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", size, WebSocketRole::server) == "text Hello; ");
  CHECK(read("\x01\x03Hel\x80\x02lo", size) == "text Hello; ");
  CHECK(read("\x89\x05Hello", size) == "ping Hello; ");
  CHECK(read("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", size, WebSocketRole::server) == "pong Hello; ");
  CHECK(read("\x82\x7e\x01\x00"s + std::string(256, 'x'), size) == "binary 256; ");
  CHECK(read("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s + std::string(65536, 'x'), size,
             WebSocketRole::client, 65536) == "binary 65536; ");
}

TEST_CASE("frames: a control frame may come inside a message") {
  const std::size_t size = GENERATE(1, 4, 1000);
  CHECK(read(frame(0x01, "a") + frame(0x89, "p") + frame(0x00, "b") + frame(0x8a, "q") + frame(0x80, ""),
             size) == "ping p; pong q; text ab; ");
  CHECK(read(frame(0x02, "") + frame(0x00, "") + frame(0x80, "") + frame(0x81, ""), size) ==
        "binary 0; text ; ");
}

TEST_CASE("frames: each rule has a frame that breaks it") {
  const std::size_t size = GENERATE(1, 2, 7, 1000);
  for (const int reserved : {0x40, 0x20, 0x10, 0x70})
    CHECK(read(frame(0x81 | reserved, "a"), size) == "1002");
  for (const int unknown : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    CHECK(read(frame(0x80 | unknown, "a"), size) == "1002");
  }
  for (const int control : {0x08, 0x09, 0x0a}) CHECK(read(frame(control, "ab"), size) == "1002");
  CHECK(read("\x89\x7e\x00\x7e"s + std::string(126, 'x'), size) == "1002");
  CHECK(read(frame(0x80, "a"), size) == "1002");
  CHECK(read(frame(0x00, "a"), size) == "1002");
  CHECK(read(frame(0x01, "a") + frame(0x81, "b"), size) == "1002");
  CHECK(read(frame(0x81, "a") + frame(0x80, "b"), size) == "text a; 1002");
  CHECK(read(frame(0x81, "a"), size, WebSocketRole::server) == "1002");
  CHECK(read("\x81\x81zzzz\x1b", size) == "1002");
  CHECK(read("\x81\x7e\x00\x05Hello"s, size) == "1002");
  CHECK(read("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"s, size) == "1002");
  CHECK(read("\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00"s, size) == "1002");
}

TEST_CASE("frames: a message that is too long fails at the head of the frame that makes it so") {
  const std::size_t size = GENERATE(1, 1000);
  CHECK(read("\x82\x7e\x03\xe9"s, size) == "1009");
  CHECK(read("\x02\x7e\x03\xe8"s + std::string(1000, 'x') + frame(0x00, "") + "\x00\x01"s, size) == "1009");
  CHECK(read("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s, size) == "1009");
  CHECK(read("\x82\x7e\x03\xe8"s + std::string(1000, 'x'), size) == "binary 1000; ");
}

TEST_CASE("frames: the codes and reasons of a close") {
  const std::size_t size = GENERATE(1, 1000);
  CHECK(read(frame(0x88, ""), size) == "close 1005 ; ");
  CHECK(read(frame(0x88, "\x03"), size) == "1002");
  CHECK(read(frame(0x88, close_payload(1000, "bye")), size) == "close 1000 bye; ");
  CHECK(read(frame(0x88, close_payload(1000, "\xc3")), size) == "1007");
  CHECK(read(frame(0x88, close_payload(1000, std::string(123, 'x'))), size) ==
        "close 1000 " + std::string(123, 'x') + "; ");
  for (const int good :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
    CHECK(read(frame(0x88, close_payload(good, "")), size) == "close " + std::to_string(good) + " ; ");
  }
  for (const int bad : {0, 999, 1004, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    CHECK(read(frame(0x88, close_payload(bad, "")), size) == "1002");
  }
}

TEST_CASE("frames: text fails at the first byte that makes it no UTF-8") {
  const std::size_t size = GENERATE(1, 2, 3, 1000);
  CHECK(read(frame(0x81, "\xce\xba\xe1\xbd\xb9\xf4\x8f\xbf\xbf"), size) ==
        "text \xce\xba\xe1\xbd\xb9\xf4\x8f\xbf\xbf; ");
  CHECK(read(frame(0x01, "\xe1\xbd") + frame(0x80, "\xb9"), size) == "text \xe1\xbd\xb9; ");
  CHECK(read(frame(0x81, "\xe1\xbd"), size) == "1007");
  CHECK(read(frame(0x01, "\xf4\x90"), size) == "1007");
  CHECK(read("\x01\x10\xed\xa0"s, size) == "1007");
  CHECK(read(frame(0x82, "\xff\xfe"), size) == "binary 2; ");
}

TEST_CASE("frames: what is appended is read again, masked or not") {
  Random random(7);
  for (const std::size_t length : {0, 1, 3, 125, 126, 127, 65535, 65536, 70001}) {
    std::string payload(length, '\0');
    for (char& c : payload) c = static_cast<char>(random.next());
    for (const bool masked : {false, true}) {
      FrameHead head{.kind = Opcode::binary};
      if (masked) head.mask = static_cast<std::uint32_t>(random.next());
      std::string bytes = "x";
      append_frame(bytes, head, payload);
      FrameParser parser(masked ? WebSocketRole::server : WebSocketRole::client, 100'000);
      std::optional<FrameEvent> event;
      Bytes rest = as_bytes(std::string_view(bytes).substr(1));
      while (!rest.empty() && !event) {
        const std::size_t count = 1 + random.up_to(rest.size() - 1);
        const std::size_t taken = parser.take(rest.first(count), event);
        REQUIRE(taken == count);
        rest = rest.subspan(taken);
      }
      REQUIRE(event);
      CHECK(event->data == payload);
      CHECK(!parser.in_message());
    }
  }
}

// The obvious second implementation: decodes the code points, and looks at what came out (RFC 3629, section
// 3).
bool decodes_as_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80       ? 1
                               : first >> 5 == 6  ? 2
                               : first >> 4 == 14 ? 3
                               : first >> 3 == 30 ? 4
                                                  : 0;
    if (length == 0 || text.size() - at < length) return false;
    std::uint32_t point = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[at + k]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fu);
    }
    static constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    at += length;
  }
  return true;
}

TEST_CASE("utf8: in pieces and at once, as a decoder says") {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::uint64_t n = random.up_to(12); n > 0; --n) {
      static constexpr unsigned char bytes[] = {'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2,
                                                0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf3, 0xf4, 0xf5, 0xff};
      text += random.one_in(4) ? std::string("abcdefghij")
                               : std::string(1, static_cast<char>(bytes[random.up_to(19)]));
    }
    escapement::detail::Utf8Checker checker;
    bool valid = true;
    for (std::size_t at = 0; at < text.size() && valid;) {
      const std::size_t count = 1 + random.up_to(text.size() - at - 1);
      valid = checker.take(std::string_view(text).substr(at, count));
      at += count;
    }
    CAPTURE(i);
    const bool expected = decodes_as_utf8(text);
    REQUIRE((valid && checker.complete()) == expected);
    REQUIRE(is_utf8(text) == expected);
  }
}

TEST_CASE("sha1: the examples of FIPS 180") {
  const auto hex = [](std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
      text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
      text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
    }
    return text;
  };
  CHECK(hex(sha1("")) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex(sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(hex(sha1(std::string(1'000'000, 'a'))) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}
