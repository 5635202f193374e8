// Recent: counts of the last so much time, in ten parts of it.

#pragma once

#include <array>
#include <cstddef>

#include <escapement/core/time.h>

namespace escapement::http::detail {

// Forgets a part at a time, so what is counted stays for 90 to 100 % of the length. `Part` begins with
// zeroes.
template <class Part>
class Recent {
 public:
  using Parts = std::array<Part, 10>;

  // `length` must be above zero.
  explicit Recent(Duration length) : part_length_(length / 10) {}

  // Returns the part that counts what happens at `now`, which does not go back. Valid until the next call.
  Part& at(Instant now) {
    turn_to(now);
    return parts_[at_];
  }
  // Returns all that is still counted at `now`.
  const Parts& all(Instant now) {
    turn_to(now);
    return parts_;
  }
  void clear() { parts_ = {}; }

 private:
  void turn_to(Instant now) {
    for (std::size_t turned = 0; now >= ends_ && turned < parts_.size(); ++turned) {
      at_ = (at_ + 1) % parts_.size();
      parts_[at_] = Part();
      ends_ = ends_ + part_length_;
    }
    if (now >= ends_) ends_ = now + part_length_;  // all parts are empty now
  }

  Duration part_length_;
  Instant ends_;  // of the present part
  std::size_t at_ = 0;
  Parts parts_{};
};

}  // namespace escapement::http::detail
