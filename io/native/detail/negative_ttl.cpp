#include <escapement/io/native/detail/negative_ttl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace escapement::detail {

namespace {

// Reads a message from its beginning; what is not there reads as zeros, and makes it bad.
class MessageReader {
 public:
  explicit MessageReader(std::string_view message) : message_(message) {}

  bool good() const { return good_; }
  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  void skip(std::size_t bytes) {
    good_ = good_ && bytes <= message_.size() - at_;
    if (good_) at_ += bytes;
  }
  // Labels up to an empty one, or to a pointer.
  void skip_name() {
    while (good_) {
      const unsigned length = byte();
      if (length == 0) return;
      if (length >= 0xc0) return skip(1);
      skip(length);
    }
  }

 private:
  unsigned byte() {
    good_ = good_ && at_ < message_.size();
    return good_ ? static_cast<unsigned char>(message_[at_++]) : 0;
  }

  std::string_view message_;
  std::size_t at_ = 0;
  bool good_ = true;
};

constexpr std::uint32_t soa = 6;

}  // namespace

std::optional<Duration> negative_ttl(std::string_view message) {
  MessageReader reader(message);
  reader.skip(4);
  const std::uint32_t questions = reader.number(2);
  const std::uint32_t answers = reader.number(2);
  const std::uint32_t authorities = reader.number(2);
  reader.skip(2);
  for (std::uint32_t i = 0; i < questions && reader.good(); ++i) {
    reader.skip_name();
    reader.skip(4);
  }
  for (std::uint32_t i = 0; i < answers + authorities && reader.good(); ++i) {
    reader.skip_name();
    const std::uint32_t type = reader.number(2);
    reader.skip(2);
    const std::uint32_t ttl = reader.number(4);
    const std::uint32_t length = reader.number(2);
    if (i < answers || type != soa) {
      reader.skip(length);
      continue;
    }
    if (length < 22) return std::nullopt;  // two names and five numbers
    reader.skip(length - 4);
    const std::uint32_t minimum = reader.number(4);
    if (!reader.good() || ttl > INT32_MAX || minimum > INT32_MAX) return std::nullopt;  // RFC 2181 section 8
    return std::chrono::seconds(std::min(ttl, minimum));
  }
  return std::nullopt;
}

}  // namespace escapement::detail
