#include <escapement/io/http/web_socket/frames.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace escapement::http::detail {

namespace {

constexpr std::size_t control_max = 125;
constexpr unsigned char two_more = 126;    // the length follows in 2 bytes
constexpr unsigned char eight_more = 127;  // in 8

using Mask = std::array<unsigned char, 4>;

// Applies the key to `bytes`, whose first one meets byte `at` of it. Masking and unmasking are the same.
void apply_mask(char* bytes, std::size_t count, const Mask& mask, std::size_t at) {
  std::array<unsigned char, 8> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(at + i) % mask.size()];
  std::uint64_t key;
  std::memcpy(&key, turned.data(), sizeof(key));
  std::size_t i = 0;
  for (; count - i >= sizeof(key); i += sizeof(key)) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i, sizeof(word));
    word ^= key;
    std::memcpy(bytes + i, &word, sizeof(word));
  }
  for (; i < count; ++i) bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(turned[i % 8]));
}

Mask bytes_of(std::uint32_t mask) {
  return {static_cast<unsigned char>(mask >> 24), static_cast<unsigned char>(mask >> 16),
          static_cast<unsigned char>(mask >> 8), static_cast<unsigned char>(mask)};
}

// Returns whether a peer may close with this code (RFC 6455 section 7.4, IANA's registry).
bool is_close_code(int code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

void append_big_endian(std::string& to, std::uint64_t number, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) to += static_cast<char>(number >> shift & 0xff);
}

}  // namespace

void FrameParser::fail(int code, const char* why) {
  failure_code_ = code;
  failure_ = why;
}

std::size_t FrameParser::take(Bytes bytes, std::optional<FrameEvent>& event) {
  std::size_t taken = 0;
  event.reset();
  while (failure_code_ == 0 && !event) {
    if (!in_payload_) {
      taken += take_head(bytes.subspan(taken));
      if (!in_payload_) break;
    } else {
      if (left_ > 0 && taken == bytes.size()) break;
      taken += take_payload(bytes.subspan(taken));
      if (left_ == 0 && failure_code_ == 0) event = end_frame();
    }
  }
  return taken;
}

std::size_t FrameParser::head_needed() const {
  std::size_t needed = masked() ? 6 : 2;
  if ((head_[1] & 0x7f) == two_more) needed += 2;
  if ((head_[1] & 0x7f) == eight_more) needed += 8;
  return needed;
}

std::size_t FrameParser::take_head(Bytes bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    head_[head_size_++] = static_cast<unsigned char>(bytes[i++]);
    if (head_size_ == 2 && !check_first_two()) return i;
    if (head_size_ >= 2 && head_size_ == head_needed()) {
      begin_payload();
      return i;
    }
  }
  return bytes.size();
}

bool FrameParser::check_first_two() {
  const unsigned char reserved = head_[0] & 0x70;
  const bool begins_message = opcode() == Opcode::text || opcode() == Opcode::binary;
  const unsigned char allowed = takes_compressed_ && begins_message ? 0x40 : 0;
  if ((reserved & ~allowed) != 0) {
    fail(code_protocol_error, "a reserved bit is set");
  } else if (control() ? opcode() > Opcode::pong : opcode() > Opcode::binary) {
    fail(code_protocol_error, "a frame of an unknown kind");
  } else if (control() && (!final() || (head_[1] & 0x7f) > control_max)) {
    fail(code_protocol_error, "a control frame is fragmented, or longer than 125 bytes");
  } else if (opcode() == Opcode::continuation && !in_message_) {
    fail(code_protocol_error, "a continuation of nothing");
  } else if (begins_message && in_message_) {
    fail(code_protocol_error, "a message begins inside another one");
  } else if (masked() != (role_ == WebSocketRole::server)) {
    fail(code_protocol_error, masked() ? "a server masks its frames" : "a client does not mask its frames");
  }
  return failure_code_ == 0;
}

std::uint64_t FrameParser::length() const {
  const unsigned char first = head_[1] & 0x7f;
  if (first < two_more) return first;
  std::uint64_t length = 0;
  for (std::size_t i = 2; i < (first == two_more ? 4U : 10U); ++i) length = length << 8 | head_[i];
  return length;
}

void FrameParser::begin_payload() {
  const unsigned char first = head_[1] & 0x7f;
  left_ = length();
  if ((first == two_more && left_ < two_more) || (first == eight_more && left_ <= 0xffff) || left_ >> 63 != 0)
    return fail(code_protocol_error, "a length that is not in its shortest form, or too large");
  if (masked()) std::copy_n(head_.begin() + (head_size_ - 4), 4, mask_.begin());
  mask_at_ = 0;
  in_payload_ = true;
  if (control()) return;
  if (!in_message_) {
    in_message_ = true;
    message_kind_ = opcode();
    compressed_ = (head_[0] & 0x40) != 0;
    utf8_ = escapement::detail::Utf8Checker();
  }
  // Compressed data may be a little longer than what they say.
  const std::size_t spare = compressed_ ? message_max_ / 1024 + 64 : 0;
  const std::size_t most = message_max_ + std::min(spare, SIZE_MAX - message_max_);
  if (left_ > most - message_.size()) fail(code_too_big, "a message is too long");
}

std::size_t FrameParser::take_payload(Bytes bytes) {
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  std::string& target = control() ? control_ : message_;
  const std::size_t at = target.size();
  target += as_text(bytes.first(count));
  if (masked()) apply_mask(target.data() + at, count, mask_, mask_at_);
  mask_at_ = static_cast<std::uint8_t>((mask_at_ + count) % mask_.size());
  left_ -= count;
  if (!control() && checks_text() && !utf8_.take(std::string_view(target).substr(at)))
    fail(code_not_utf8, "a text is not UTF-8");
  return count;
}

std::optional<FrameEvent> FrameParser::end_frame() {
  in_payload_ = false;
  head_size_ = 0;
  if (control()) return end_control();
  if (!final()) return std::nullopt;
  in_message_ = false;
  if (checks_text() && !utf8_.complete()) {
    fail(code_not_utf8, "a text is not UTF-8");
    return std::nullopt;
  }
  FrameEvent event{.kind = message_kind_, .compressed = compressed_, .data = std::move(message_)};
  message_ = std::string();
  return event;
}

std::optional<FrameEvent> FrameParser::end_control() {
  if (opcode() == Opcode::close) return end_close();
  FrameEvent event{.kind = opcode(), .data = std::move(control_)};
  control_ = std::string();
  return event;
}

std::optional<FrameEvent> FrameParser::end_close() {
  FrameEvent event{.kind = Opcode::close, .code = code_none};
  if (!control_.empty()) {
    if (control_.size() >= 2)
      event.code = static_cast<unsigned char>(control_[0]) << 8 | static_cast<unsigned char>(control_[1]);
    event.data = control_.size() >= 2 ? control_.substr(2) : std::string();
    escapement::detail::Utf8Checker reason;
    if (!is_close_code(event.code)) {
      fail(code_protocol_error, "a close with an invalid code");
    } else if (!reason.take(event.data) || !reason.complete()) {
      fail(code_not_utf8, "the reason of a close is not UTF-8");
    }
  }
  control_ = std::string();
  if (failure_code_ != 0) return std::nullopt;
  return event;
}

void append_frame_head(std::string& to, const FrameHead& head) {
  const int masked = head.mask ? 0x80 : 0;
  to += static_cast<char>(0x80 | (head.compressed ? 0x40 : 0) | static_cast<int>(head.kind));
  if (head.length < two_more) {
    to += static_cast<char>(masked | static_cast<int>(head.length));
  } else if (head.length <= 0xffff) {
    to += static_cast<char>(masked | two_more);
    append_big_endian(to, head.length, 2);
  } else {
    to += static_cast<char>(masked | eight_more);
    append_big_endian(to, head.length, 8);
  }
  if (head.mask) append_big_endian(to, *head.mask, 4);
}

void append_frame(std::string& to, FrameHead head, std::string_view payload) {
  head.length = payload.size();
  to.reserve(to.size() + 14 + payload.size());
  append_frame_head(to, head);
  const std::size_t at = to.size();
  to += payload;
  if (head.mask) apply_mask(to.data() + at, payload.size(), bytes_of(*head.mask), 0);
}

std::string close_payload(int code, std::string_view reason) {
  std::string payload;
  if (code == code_none) return payload;
  append_big_endian(payload, static_cast<std::uint64_t>(code), 2);
  payload += reason;
  return payload;
}

}  // namespace escapement::http::detail
