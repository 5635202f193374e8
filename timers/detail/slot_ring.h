// SlotRing: one level of the timer wheel, a ring of 2,048 slots that knows which of them hold entries.

#pragma once

#include <bit>
#include <cstdint>
#include <memory>

#include <escapement/timers/detail/block.h>

namespace escapement::detail {

// Slots come in pages of 64, made when one of them is first used. Each page has a word of bits that says
// which of its slots are occupied, so finding the next one is counting zeros. A bit may be stale, because
// entries leave by themselves; the next search corrects it.
class SlotRing {
 public:
  static constexpr int bits = 11;
  static constexpr int size = 1 << bits;

  // A list of blocks, or a single cell if there is only one entry, as in most slots of the lowest level.
  union Slot {
    BlockLink list = 0;
    TimerCell only;
    bool empty() const { return list == 0; }
  };
  struct Page {
    std::uint64_t occupied = 0;
    std::uint64_t single = 0;  // the slots that are a single cell
    Slot slots[64];
  };

  // The location of a slot.
  struct Spot {
    Page* page;
    std::uint64_t bit;
    Slot* slot;
    bool single() const { return (page->single & bit) != 0; }
  };

  // Returns the slot `index`, to put something into it.
  Spot use(int index) {
    std::unique_ptr<Page>& page = pages_[index / 64];
    if (!page) page = std::make_unique<Page>();
    return at(index);
  }
  // Makes an empty slot a single cell, and occupied.
  void occupy(int index) {
    const Spot spot = at(index);
    spot.page->single |= spot.bit;
    spot.page->occupied |= spot.bit;
    occupied_ |= std::uint32_t{1} << (index / 64);
  }
  // Returns a slot that has been used before.
  Spot at(int index) {
    Page* page = pages_[index / 64].get();
    return {page, std::uint64_t{1} << (index % 64), &page->slots[index % 64]};
  }

  // Returns the first occupied slot from `from` on, around the ring; -1 if there is none.
  int first_from(int from) {
    const int own = from / 64;
    const std::uint64_t from_there = ~std::uint64_t{0} << (from % 64);
    int found = first_in(own, from_there);
    for (std::uint32_t others = std::rotr(occupied_, own) & ~1u; found < 0 && others != 0;
         others &= others - 1) {
      found = first_in((own + std::countr_zero(others)) % page_count, ~std::uint64_t{0});
    }
    if (found >= 0) return found;
    return first_in(own, ~from_there);
  }

  // Visits every slot that has ever been used.
  template <class Visit>
  void for_each(Visit visit) {
    for (int index = 0; index < size; ++index) {
      if (pages_[index / 64]) visit(index, at(index));
    }
  }

  std::size_t memory() const {
    std::size_t bytes = sizeof(*this);
    for (const std::unique_ptr<Page>& page : pages_) bytes += page ? sizeof(Page) : 0;
    return bytes;
  }

 private:
  static constexpr int page_count = size / 64;

  int first_in(int number, std::uint64_t mask) {
    if ((occupied_ >> number & 1) == 0) return -1;
    Page& page = *pages_[number];
    for (std::uint64_t left = page.occupied & mask; left != 0; left &= left - 1) {
      const int slot = std::countr_zero(left);
      if (!page.slots[slot].empty()) return number * 64 + slot;
      page.occupied &= ~(std::uint64_t{1} << slot);
    }
    if (page.occupied == 0) occupied_ &= ~(std::uint32_t{1} << number);
    return -1;
  }

  std::uint32_t occupied_ = 0;  // pages with a bit set
  std::unique_ptr<Page> pages_[page_count];
};

}  // namespace escapement::detail
