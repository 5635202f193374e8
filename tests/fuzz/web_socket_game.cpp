#include "fuzz/web_socket_game.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <escapement/core/detail/utf8.h>
#include <escapement/io/http/web_socket/frames.h>
#include <escapement/io/web_socket.h>

namespace escapement::test {

namespace {

using http::detail::FrameEvent;
using http::detail::FrameParser;
using http::detail::Opcode;
using http::detail::WebSocketRole;

struct Terms {
  WebSocketRole role = WebSocketRole::server;
  bool compressed = false;
  std::size_t message_max = 0;
  std::size_t piece = 0;
};

std::string described(int kind, bool compressed, std::string_view data, int code) {
  return std::to_string(kind) + (compressed ? "c " : " ") + std::to_string(code) + " '" + std::string(data) +
         "'; ";
}

// Returns the events, and the code with which it failed.
std::string by_parser(const Terms& terms, std::string_view bytes, std::size_t piece) {
  FrameParser parser(terms.role, terms.message_max, terms.compressed);
  std::string seen;
  while (!bytes.empty() && parser.failure() == nullptr) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (!part.empty() && parser.failure() == nullptr) {
      std::optional<FrameEvent> event;
      part.remove_prefix(parser.take(as_bytes(part), event));
      if (event)
        seen += described(static_cast<int>(event->kind), event->compressed, event->data, event->code);
    }
  }
  return seen + std::to_string(parser.failure_code());
}

// The obvious second implementation: frame by frame, each from its text in RFC 6455 section 5.2. It sees a
// fault only when the whole frame is there, so a frame that is cut off has no code.
class SecondReader {
 public:
  SecondReader(const Terms& terms, std::string_view bytes) : terms_(terms), bytes_(bytes) {}

  std::string read() {
    while (code_ == 0 && frame()) {
    }
    return seen_ + std::to_string(code_);
  }
  // A frame has begun, and its end is not there.
  bool cut_off() const { return cut_off_; }

 private:
  bool frame() {
    cut_off_ = !bytes_.empty();
    if (bytes_.size() < 2) return false;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes_[i]); };
    const bool last = at(0) >> 7 != 0, masked = at(1) >> 7 != 0;
    const int reserved = at(0) >> 4 & 7, kind = at(0) & 15;
    std::size_t head = 2;
    std::uint64_t length = at(1) & 127;
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (bytes_.size() < head + more + (masked ? 4 : 0)) return false;
    const std::uint64_t shortest = more == 2 ? 126 : 65536;
    if (more > 0) length = 0;
    for (std::size_t i = 0; i < more; ++i) length = length * 256 + at(head++);
    if (masked) head += 4;
    if (bytes_.size() - head < length) return false;
    std::string payload(bytes_.substr(head, length));
    for (std::size_t i = 0; masked && i < payload.size(); ++i)
      payload[i] = static_cast<char>(payload[i] ^ bytes_[head - 4 + i % 4]);
    bytes_.remove_prefix(head + length);
    cut_off_ = false;
    const bool may_compress = terms_.compressed && (kind == 1 || kind == 2);
    const bool wrong = (reserved & ~(may_compress ? 4 : 0)) != 0 || (kind > 2 && kind < 8) || kind > 10 ||
                       (kind >= 8 && (!last || length > 125)) || (kind == 0 && !in_message_) ||
                       ((kind == 1 || kind == 2) && in_message_) ||
                       masked != (terms_.role == WebSocketRole::server) || (more > 0 && length < shortest);
    if (wrong) return fail(1002);
    return kind >= 8 ? control(kind, payload) : data(kind, reserved != 0, last, payload);
  }

  bool data(int kind, bool compressed, bool last, const std::string& payload) {
    if (kind != 0) {
      kind_ = kind;
      compressed_ = compressed;
      message_.clear();
    }
    in_message_ = !last;
    const std::size_t spare = compressed_ ? terms_.message_max / 1024 + 64 : 0;
    if (message_.size() + payload.size() > terms_.message_max + spare) return fail(1009);
    message_ += payload;
    if (kind_ == 1 && !compressed_) {
      escapement::detail::Utf8Checker checker;  // has a second implementation of its own, in frames_test.cpp
      if (!checker.take(message_) || (last && !checker.complete())) return fail(1007);
    }
    if (last) seen_ += described(kind_, compressed_, message_, 0);
    return true;
  }

  bool control(int kind, const std::string& payload) {
    if (kind != 8) {
      seen_ += described(kind, false, payload, 0);
      return true;
    }
    if (payload.empty()) {
      seen_ += described(8, false, "", 1005);
      return true;
    }
    const int code = payload.size() < 2 ? 0
                                        : static_cast<unsigned char>(payload[0]) * 256 +
                                              static_cast<unsigned char>(payload[1]);
    const bool known = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                       (code >= 3000 && code < 5000);
    if (!known) return fail(1002);
    if (!is_utf8(std::string_view(payload).substr(2))) return fail(1007);
    seen_ += described(8, false, payload.substr(2), code);
    return true;
  }

  bool fail(int code) {
    code_ = code;
    return false;
  }

  const Terms& terms_;
  std::string_view bytes_;
  std::string seen_;
  std::string message_;
  int code_ = 0;
  int kind_ = 0;
  bool in_message_ = false;
  bool compressed_ = false;
  bool cut_off_ = false;
};

}  // namespace

std::string play_web_socket(std::span<const std::uint8_t> input) {
  if (input.empty()) return {};
  Terms terms;
  terms.role = (input[0] & 1) != 0 ? WebSocketRole::client : WebSocketRole::server;
  terms.compressed = (input[0] & 2) != 0;
  terms.message_max = (input[0] & 4) != 0 ? 300 : 100'000;
  terms.piece = 1 + (input[0] >> 3) % 8;
  const std::string_view bytes(reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1);
  const std::string at_once = by_parser(terms, bytes, bytes.size());
  const std::string in_pieces = by_parser(terms, bytes, terms.piece);
  if (at_once != in_pieces) return "at once: " + at_once + ", in pieces: " + in_pieces;
  SecondReader second(terms, bytes);
  std::string expected = second.read();
  // The parser may see a fault of a frame that is cut off before its end.
  if (second.cut_off()) {
    expected.pop_back();
    return at_once.starts_with(expected) ? "" : "expected " + expected + "..., got " + at_once;
  }
  return at_once == expected ? "" : "expected " + expected + ", got " + at_once;
}

}  // namespace escapement::test
