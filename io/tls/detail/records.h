// TlsRecords: the bytes of a TLS connection that have arrived and are not yet decrypted, cut into whole
// records.
//
// mbedTLS is given whole records only. So an incomplete one stays visible here, which a pool of idle
// connections has to know, and a peer that does not speak TLS is noticed by its first byte instead of by the
// silence after it. Pure: no I/O.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <escapement/core/bytes.h>

namespace escapement::detail {

class TlsRecords {
 public:
  // Returns room for the next bytes, where they stay until `received`: a little on a quiet connection, more
  // while much arrives, and always enough to complete the first record.
  MutableBytes room();
  // Called when `count` bytes were put there.
  void received(std::size_t count);
  // Gives the memory back if it is empty. Must not be called while bytes are being put there.
  void shrink();

  bool empty() const { return begin_ == end_; }
  // Returns whether `take` would yield something.
  bool whole_record() const { return taking_ != 0 || first_record() != 0; }

  // Moves the next bytes of a whole record and returns how many; 0 if there is none.
  std::size_t take(MutableBytes into);

  // Returns the number of records taken so far.
  std::uint64_t records() const { return records_; }
  // Returns the peer's last alert that could be read without a key: its number in RFC 8446 section 6.
  std::optional<std::uint8_t> plain_alert() const { return plain_alert_; }
  // Returns whether a record was taken whose stated length exceeds the limit.
  bool too_long() const { return too_long_; }
  // Returns whether the bytes are not TLS.
  bool foreign() const { return foreign_; }

 private:
  std::size_t first_record() const;
  void look_at_record();
  std::uint8_t at(std::size_t offset) const { return std::to_integer<std::uint8_t>(bytes_[begin_ + offset]); }

  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t taking_ = 0;  // bytes left of the record being taken
  std::size_t next_room_ = KiB;
  std::uint64_t records_ = 0;
  std::optional<std::uint8_t> plain_alert_;
  bool too_long_ = false;
  bool foreign_ = false;
};

}  // namespace escapement::detail
