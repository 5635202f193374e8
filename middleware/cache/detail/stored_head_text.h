// A StoredHead as bytes, for stores that outlive the program: texts and numbers one behind the other,
// "5:hello".

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <escapement/middleware/cache/cache_policy.h>

namespace escapement::http::detail {

// Writes texts and numbers.
class TextWriter {
 public:
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    to_ += value;
  }
  void number(std::int64_t value) { to_ += std::to_string(value) + ':'; }
  // Writes all of a head but its id.
  void head(const StoredHead& head);
  std::string take() { return std::move(to_); }

 private:
  std::string to_;
};

// Reads what TextWriter has written; views it. After a failure everything is empty.
class TextReader {
 public:
  explicit TextReader(std::string_view from) : from_(from) {}
  bool failed() const { return failed_; }
  bool at_end() const { return from_.empty(); }

  std::int64_t number();
  std::string text();
  // Reads a head, whose id is 0.
  StoredHead head();

 private:
  std::int64_t fail();

  std::string_view from_;
  bool failed_ = false;
};

}  // namespace escapement::http::detail
