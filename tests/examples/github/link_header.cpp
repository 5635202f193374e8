#include "github/link_header.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace escapement::github {

namespace {

// Reads the links of one field.
class LinkReader {
 public:
  explicit LinkReader(std::string_view text) : text_(text) {}

  // Reads the next link. Returns false at the end, and at a mistake.
  bool next() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == ',')) ++at_;
    if (at_ == text_.size() || text_[at_] != '<') return false;
    const std::size_t end = text_.find('>', at_);
    if (end == text_.npos) return false;
    url = text_.substr(at_ + 1, end - at_ - 1);
    relation.clear();
    has_relation_ = has_anchor = false;
    at_ = end + 1;
    return parameters();
  }

  std::string_view url;
  std::string relation;  // "prev last"
  bool has_anchor = false;

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t'; }

  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  bool parameters() {
    for (skip_spaces(); at_ < text_.size() && text_[at_] == ';'; skip_spaces()) {
      ++at_;
      skip_spaces();
      const std::string_view name = token();
      skip_spaces();
      std::string value;
      if (at_ < text_.size() && text_[at_] == '=') {
        ++at_;
        skip_spaces();
        value = at_ < text_.size() && text_[at_] == '"' ? quoted() : std::string(token());
      }
      if (http::equal_ignoring_case(name, "rel") && !std::exchange(has_relation_, true)) relation = value;
      if (http::equal_ignoring_case(name, "anchor")) has_anchor = true;
    }
    return at_ == text_.size() || text_[at_] == ',';
  }

  std::string_view token() {
    const std::size_t end = std::min(text_.find_first_of(";,= \t", at_), text_.size());
    const std::string_view found = text_.substr(at_, end - at_);
    at_ = end;
    return found;
  }

  std::string quoted() {
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_];
    }
    at_ = std::min(at_ + 1, text_.size());
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool has_relation_ = false;
};

bool has_word(std::string_view words, std::string_view wanted) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (http::equal_ignoring_case(words.substr(0, end), wanted)) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace

std::string next_page(const http::Headers& headers) {
  for (const http::Headers::Field& field : headers) {
    if (!http::equal_ignoring_case(field.name, "Link")) continue;
    for (LinkReader link(field.value); link.next();) {
      if (!link.has_anchor && has_word(link.relation, "next")) return std::string(link.url);
    }
  }
  return {};
}

}  // namespace escapement::github
