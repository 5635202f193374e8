#include <escapement/middleware/observe/span.h>

#include <algorithm>

#include <escapement/core/detail/ascii.h>

namespace escapement::http {

namespace {

template <std::size_t n>
std::string hex_text(const std::array<std::uint8_t, n>& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// Reads lower-case digits, as the specification wants them.
template <std::size_t n>
bool read_hex(std::string_view text, std::array<std::uint8_t, n>& bytes) {
  for (const char c : text) {
    if (!is_hex_digit(c) || lower(c) != c) return false;
  }
  for (std::size_t i = 0; i < n; ++i) {
    bytes[i] = static_cast<std::uint8_t>(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
  }
  return true;
}

template <std::size_t n>
bool is_zero(const std::array<std::uint8_t, n>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceContext> TraceContext::parse(std::string_view text) {
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  const bool read = read_hex(text.substr(0, 2), version) && read_hex(text.substr(3, 32), context.trace_id) &&
                    read_hex(text.substr(36, 16), context.span_id) && read_hex(text.substr(53, 2), flags);
  if (!read || version[0] == 0xff || is_zero(context.trace_id) || is_zero(context.span_id))
    return std::nullopt;
  if (text.size() > size && (version[0] == 0 || text[size] != '-')) return std::nullopt;
  context.sampled = (flags[0] & 1) != 0;
  return context;
}

std::string TraceContext::text() const {
  return "00-" + hex_text(trace_id) + '-' + hex_text(span_id) + (sampled ? "-01" : "-00");
}

std::string id_text(const std::array<std::uint8_t, 16>& trace_id) { return hex_text(trace_id); }
std::string id_text(const std::array<std::uint8_t, 8>& span_id) { return hex_text(span_id); }

}  // namespace escapement::http
