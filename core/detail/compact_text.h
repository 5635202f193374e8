// CompactText: text that is written once, one pointer wide. For text that is mostly empty or only passed on:
// empty text owns nothing, and a move copies one pointer.

#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/frame_pool.h>

namespace escapement {

// Converts to a std::string_view that is valid until the text is destroyed or assigned to.
class CompactText {
 public:
  CompactText() = default;
  CompactText(std::string_view text) {
    if (text.empty()) return;
    void* block = detail::allocate_block(sizeof(Block) + text.size());
    block_.reset(::new (block) Block{text.size()});
    std::memcpy(block_->text(), text.data(), text.size());
  }
  CompactText(const std::string& text) : CompactText(std::string_view(text)) {}
  CompactText(const char* text) : CompactText(std::string_view(text)) {}
  CompactText(const CompactText& other) : CompactText(other.view()) {}
  CompactText(CompactText&&) noexcept = default;
  CompactText& operator=(const CompactText& other) { return *this = CompactText(other); }
  CompactText& operator=(CompactText&&) noexcept = default;
  ~CompactText() = default;

  bool empty() const { return block_ == nullptr; }
  std::string_view view() const {
    return block_ ? std::string_view(block_->text(), block_->size) : std::string_view();
  }
  operator std::string_view() const { return view(); }

 private:
  // The header of the allocation, followed by the text.
  struct Block {
    std::size_t size;
    char* text() { return reinterpret_cast<char*>(this + 1); }
  };
  struct Free {
    ESC_NOINLINE void operator()(Block* block) const {
      detail::free_block(block, sizeof(Block) + block->size);
    }
  };

  std::unique_ptr<Block, Free> block_;
};

}  // namespace escapement
