// WebSocket's frames (RFC 6455 section 5): bytes to messages and back. No I/O and no clock, so fuzzers and
// case lists work on it directly.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/utf8.h>

namespace escapement::http::detail {

// The kinds of frame.
enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// The end of a connection that this is: a client masks what it sends, a server does not.
enum class WebSocketRole : std::uint8_t { server, client };

// The reasons of a close (RFC 6455 section 7.4.1) that this library gives or has to tell apart.
enum WebSocketCode : int {
  code_normal = 1000,
  code_going_away = 1001,
  code_protocol_error = 1002,
  code_none = 1005,    // never sent: the peer gave none
  code_broken = 1006,  // never sent: the connection ended without a close
  code_not_utf8 = 1007,
  code_too_big = 1009,
  code_internal = 1011,
};

// A whole message, or a control frame.
struct FrameEvent {
  Opcode kind = Opcode::text;  // text, binary, close, ping or pong
  bool compressed = false;     // RFC 7692: `data` has to be inflated, and then checked
  std::string data;            // a message, what a ping brought, the reason of a close
  int code = 0;                // of a close
};

// Reads the frames of the peer. Once it has failed it stays failed.
class FrameParser {
 public:
  // `takes_compressed`: the ends have agreed on permessage-deflate.
  FrameParser(WebSocketRole role, std::size_t message_max, bool takes_compressed = false)
      : message_max_(message_max), role_(role), takes_compressed_(takes_compressed) {}

  // Takes bytes up to the end of the first event, and returns how many. `event` is set if there is one.
  std::size_t take(Bytes bytes, std::optional<FrameEvent>& event);

  // Returns the code to close with, and why; 0 and null as long as the peer keeps to the protocol.
  int failure_code() const { return failure_code_; }
  const char* failure() const { return failure_; }
  // Returns whether a message has begun and is not whole, or a frame.
  bool in_message() const { return in_message_ || in_payload_ || head_size_ > 0; }

 private:
  std::size_t take_head(Bytes bytes);
  std::size_t head_needed() const;
  bool check_first_two();
  void begin_payload();
  std::size_t take_payload(Bytes bytes);
  std::optional<FrameEvent> end_frame();
  std::optional<FrameEvent> end_control();
  std::optional<FrameEvent> end_close();
  std::uint64_t length() const;
  Opcode opcode() const { return static_cast<Opcode>(head_[0] & 0x0f); }
  bool final() const { return (head_[0] & 0x80) != 0; }
  bool control() const { return (head_[0] & 0x08) != 0; }
  bool masked() const { return (head_[1] & 0x80) != 0; }
  bool checks_text() const { return !compressed_ && message_kind_ == Opcode::text; }
  void fail(int code, const char* why);

  std::string message_;     // of the message that has begun
  std::string control_;     // of the control frame that has begun
  std::uint64_t left_ = 0;  // bytes of payload that are to come
  std::size_t message_max_;
  const char* failure_ = nullptr;
  int failure_code_ = 0;
  std::array<unsigned char, 14> head_{};  // of the frame that has begun
  std::uint8_t head_size_ = 0;
  std::uint8_t mask_at_ = 0;  // the byte of the key that is next
  std::array<unsigned char, 4> mask_{};
  escapement::detail::Utf8Checker utf8_;
  Opcode message_kind_ = Opcode::text;
  const WebSocketRole role_;
  const bool takes_compressed_;
  bool in_message_ = false;
  bool in_payload_ = false;
  bool compressed_ = false;  // the message that has begun
};

// A frame to send.
struct FrameHead {
  Opcode kind = Opcode::text;
  bool compressed = false;
  std::size_t length = 0;
  std::optional<std::uint32_t> mask = std::nullopt;  // as a client has to
};

// Appends the head of an unfragmented frame.
void append_frame_head(std::string& to, const FrameHead& head);
// Appends the whole frame; its length is that of `payload`.
void append_frame(std::string& to, FrameHead head, std::string_view payload);
// Returns the payload of a close.
std::string close_payload(int code, std::string_view reason);

}  // namespace escapement::http::detail
