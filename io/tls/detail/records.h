// TlsRecords: what has arrived of a TLS connection and was not decrypted yet, cut into whole records.
//
// mbedTLS is given whole records only. So an incomplete one stays visible here, which a pool of idle
// connections wants to know, and a peer that is no TLS peer is noticed by its first byte instead of by the
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
  // Room for the next bytes, where they will stay until `received`: a little on a quiet connection, more
  // while much arrives, and always enough to complete the first record.
  MutableBytes room();
  // How many bytes were put there.
  void received(std::size_t count);
  // Nothing is being put there: gives the memory back, if there is nothing in it.
  void shrink();

  bool empty() const { return begin_ == end_; }
  // Whether `take` would yield something.
  bool whole_record() const { return taking_ != 0 || first_record() != 0; }

  // Moves the next bytes of a whole record; 0 when there is none.
  std::size_t take(MutableBytes into);

  // Records taken so far.
  std::uint64_t records() const { return records_; }
  // The peer's last alert that was readable without a key: its number in RFC 8446 section 6.
  std::optional<std::uint8_t> plain_alert() const { return plain_alert_; }
  // A record was taken that says it is longer than one may be.
  bool too_long() const { return too_long_; }
  // The bytes are not those of TLS.
  bool foreign() const { return foreign_; }

 private:
  std::size_t first_record() const;
  void look_at_record();
  std::uint8_t at(std::size_t offset) const { return std::to_integer<std::uint8_t>(bytes_[begin_ + offset]); }

  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t taking_ = 0;  // bytes left of the record that is being taken
  std::size_t next_room_ = KiB;
  std::uint64_t records_ = 0;
  std::optional<std::uint8_t> plain_alert_;
  bool too_long_ = false;
  bool foreign_ = false;
};

}  // namespace escapement::detail
