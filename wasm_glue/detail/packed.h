// Packed: a list of texts as bytes, for the arguments and results of bindings (packed.mjs). Each is its
// length in 32 bits, little-endian, and its bytes; one that is absent has the length 2^32 - 1.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escapement::wasm {

class Packed {
 public:
  Packed& add(std::string_view text) {
    add_length(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  Packed& add_number(std::int64_t number) { return add(std::to_string(number)); }
  Packed& add_absent() {
    add_length(absent);
    return *this;
  }
  const char* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }

  static constexpr std::uint32_t absent = UINT32_MAX;

 private:
  void add_length(std::uint32_t length) {
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(length >> shift & 255);
  }

  std::string bytes_;
};

// Reads the texts of a list one by one. Views `bytes`.
class Unpacked {
 public:
  explicit Unpacked(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  // Returns the next text; nullopt for one that is absent, and behind the last one.
  std::optional<std::string_view> next() {
    if (rest_.size() < 4) {
      rest_ = {};
      return std::nullopt;
    }
    std::uint32_t length = 0;
    for (std::size_t i = 4; i-- > 0;) length = length << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(4);
    if (length == Packed::absent) return std::nullopt;
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(text.size());
    return text;
  }
  // Returns the next text, empty for one that is absent.
  std::string text() { return std::string(next().value_or(std::string_view())); }

 private:
  std::string_view rest_;
};

}  // namespace escapement::wasm
