#include <escapement/io/tls/detail/records.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <escapement/core/detail/check.h>

namespace escapement::detail {

namespace {

constexpr std::size_t header_size = 5;                // type, version (2), length (2)
constexpr std::size_t body_max = 16 * KiB + 2 * KiB;  // RFC 5246; RFC 8446 allows less
constexpr std::size_t room_min = KiB;                 // holds a request, and costs little while idle
constexpr std::size_t room_max = 2 * (header_size + body_max);
constexpr std::uint8_t first_type = 20, alert = 21, last_type = 24;

}  // namespace

MutableBytes TlsRecords::room() {
  if (begin_ != 0) {
    if (!empty()) std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  std::size_t wanted = end_ + next_room_;
  if (end_ >= header_size) {
    const std::size_t record = header_size + (std::size_t{at(3)} << 8 | at(4));
    wanted = std::max(wanted, std::min(record, header_size + body_max));
  }
  if (empty() && bytes_.size() > wanted) bytes_ = std::vector<std::byte>();  // given back
  if (bytes_.size() < wanted) bytes_.resize(wanted);
  return MutableBytes(bytes_).subspan(end_);
}

void TlsRecords::received(std::size_t count) {
  const std::size_t room = bytes_.size() - end_;
  ESC_CHECK(count <= room);
  end_ += count;
  next_room_ = count == room      ? std::min(2 * next_room_ + 2 * KiB, room_max)
               : count < room_min ? room_min
                                  : next_room_;
}

void TlsRecords::shrink() {
  if (!empty()) return;
  bytes_ = std::vector<std::byte>();
  begin_ = end_ = 0;
  next_room_ = room_min;
}

// Returns the size of the first record if all of it is here, else 0. Bytes that cannot be a record count as
// one, so that their reader finds that out.
std::size_t TlsRecords::first_record() const {
  const std::size_t here = end_ - begin_;
  if (here == 0) return 0;
  if (at(0) < first_type || at(0) > last_type || (here > 1 && at(1) != 3)) return here;
  if (here < header_size) return 0;
  const std::size_t body = std::size_t{at(3)} << 8 | at(4);
  if (body > body_max) return here;
  return here < header_size + body ? 0 : header_size + body;
}

void TlsRecords::look_at_record() {
  ++records_;
  if (at(0) < first_type || at(0) > last_type || (taking_ > 1 && at(1) != 3)) foreign_ = records_ == 1;
  if (!foreign_ && taking_ >= header_size) too_long_ = (std::size_t{at(3)} << 8 | at(4)) > body_max;
  if (taking_ == header_size + 2 && at(0) == alert) plain_alert_ = at(header_size + 1);
}

std::size_t TlsRecords::take(MutableBytes into) {
  if (taking_ == 0) {
    taking_ = first_record();
    if (taking_ == 0) return 0;
    look_at_record();
  }
  const std::size_t count = std::min(into.size(), taking_);
  std::memcpy(into.data(), bytes_.data() + begin_, count);
  begin_ += count;
  taking_ -= count;
  return count;
}

}  // namespace escapement::detail
