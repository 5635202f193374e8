#include <escapement/middleware/files/byte_ranges.h>

#include <optional>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

namespace {

// Parses digits. A number too large for 64 bits becomes the largest one, which is beyond every end.
constexpr auto position = parse_saturated<std::uint64_t>;

// Parses "first-last", "first-" or "-suffix". Length 0: the range selects no byte. Nullopt: malformed.
std::optional<ByteRange> range_of(std::string_view spec, std::uint64_t size) {
  const std::size_t dash = spec.find('-');
  if (dash == spec.npos) return std::nullopt;
  const std::string_view before = spec.substr(0, dash);
  const std::string_view after = spec.substr(dash + 1);
  if (before.empty()) {
    const std::optional<std::uint64_t> suffix = position(after);
    if (!suffix) return std::nullopt;
    const std::uint64_t length = std::min(*suffix, size);
    return ByteRange{size - length, length};
  }
  const std::optional<std::uint64_t> first = position(before);
  const std::optional<std::uint64_t> last = after.empty() ? UINT64_MAX : position(after);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return ByteRange{};
  return ByteRange{*first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace

ByteRanges parse_byte_ranges(std::string_view value, std::uint64_t size, std::size_t most) {
  ByteRanges wanted(ByteRanges::Kind::whole);
  const std::size_t equals = value.find('=');
  if (equals == value.npos || !equal_ignoring_case(value.substr(0, equals), "bytes")) return wanted;
  std::string_view list = value.substr(equals + 1);
  std::size_t count = 0;
  std::uint64_t total = 0;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view spec = without_white_space(list.substr(0, comma));
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
    if (spec.empty()) continue;
    const std::optional<ByteRange> range = range_of(spec, size);
    if (!range || ++count > most) return ByteRanges(ByteRanges::Kind::whole);
    if (range->length == 0) continue;
    total += range->length;
    if (total > size) return ByteRanges(ByteRanges::Kind::whole);
    wanted.ranges.push_back(*range);
  }
  if (count == 0) return wanted;
  wanted.kind = wanted.ranges.empty() ? ByteRanges::Kind::unsatisfiable : ByteRanges::Kind::some;
  return wanted;
}

}  // namespace escapement::http
