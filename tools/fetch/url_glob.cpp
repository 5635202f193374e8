#include "tools/fetch/url_glob.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <escapement/core/detail/number.h>
#include <escapement/io/address.h>

namespace escapement {

namespace {

// A piece of a pattern: its alternatives. Literal text is one that is not counted for #1.
struct GlobPiece {
  std::vector<std::string> choices;
  bool counted = false;
};

class GlobReader {
 public:
  explicit GlobReader(std::string_view pattern) : pattern_(pattern) {}

  Result<std::vector<GlobPiece>> read() {
    std::vector<GlobPiece> pieces;
    while (at_ < pattern_.size()) {
      Result<std::string> text = literal();
      if (!text) return std::move(text).error();
      if (!text->empty()) pieces.push_back(GlobPiece{{*std::move(text)}, false});
      if (at_ == pattern_.size()) break;
      Result<std::vector<std::string>> choices = pattern_[at_] == '{' ? braces() : brackets();
      if (!choices) return std::move(choices).error();
      pieces.push_back(GlobPiece{*std::move(choices), true});
    }
    return pieces;
  }

 private:
  static bool special(char c) { return c == '{' || c == '}' || c == '[' || c == ']'; }

  Error wrong(const char* what, std::size_t at) const {
    return Error(Errc::invalid_argument, std::string(what) + " in URL position " + std::to_string(at + 1) +
                                             ": \"" + std::string(pattern_) + '"');
  }

  // Returns the length of "[]" or of a literal address in brackets here, which mean themselves; else 0.
  std::size_t bracketed() const {
    const std::size_t end = pattern_.find(']', at_);
    if (pattern_[at_] != '[' || end == pattern_.npos) return 0;
    const std::string_view inside = pattern_.substr(at_ + 1, end - at_ - 1);
    const bool address = inside.find(':') != inside.npos &&
                         SocketAddress::literal(inside.substr(0, inside.find('%')), 0).has_value();
    return inside.empty() || address ? end + 1 - at_ : 0;
  }

  Result<std::string> literal() {
    std::string text;
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (const std::size_t length = bracketed(); length > 0) {
        text += pattern_.substr(at_, length);
        at_ += length;
        continue;
      }
      if (c == '{' || c == '[') break;
      if (c == '}' || c == ']') return wrong("unmatched close brace or bracket", at_);
      if (c == '\\' && at_ + 1 < pattern_.size() && special(pattern_[at_ + 1])) ++at_;
      text += pattern_[at_++];
    }
    return text;
  }

  Result<std::vector<std::string>> braces() {
    const std::size_t open = at_++;
    std::vector<std::string> choices(1);
    for (; at_ < pattern_.size(); ++at_) {
      const char c = pattern_[at_];
      if (c == '{' || c == '[') return wrong("nested brace", at_);
      if (c == ']') return wrong("unexpected close bracket", at_);
      if (c == '}' && at_ == open + 1) return wrong("empty string within braces", at_);
      if (c == '}') break;
      if (c == ',') {
        choices.emplace_back();
        continue;
      }
      if (c == '\\' && at_ + 1 < pattern_.size() && (special(pattern_[at_ + 1]) || pattern_[at_ + 1] == ','))
        ++at_;
      choices.back() += pattern_[at_];
    }
    if (at_ == pattern_.size()) return wrong("unmatched brace", open);
    ++at_;
    return choices;
  }

  Result<std::vector<std::string>> brackets() {
    const std::size_t open = at_;
    const std::size_t end = pattern_.find(']', at_);
    if (end == pattern_.npos) return wrong("unmatched bracket", open);
    std::string_view range = pattern_.substr(open + 1, end - open - 1);
    at_ = end + 1;
    std::uint64_t step = 1;
    const std::size_t colon = range.find(':');
    if (colon != range.npos) {
      const auto given = parse_number<std::uint64_t>(range.substr(colon + 1));
      if (!given || *given == 0) return wrong("bad range", open);
      step = *given;
      range = range.substr(0, colon);
    }
    const std::size_t dash = range.find('-');
    if (dash == range.npos || dash == 0) return wrong("bad range", open);
    const std::string_view first = range.substr(0, dash);
    const std::string_view last = range.substr(dash + 1);
    if (is_letter(first) && is_letter(last)) return letters(first.front(), last.front(), step, open);
    return numbers(first, last, step, open);
  }

  static bool is_letter(std::string_view text) {
    return text.size() == 1 && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
  }

  // A range from a letter to itself, or to a letter that comes before it, is none; as in curl a step that
  // goes beyond the end is none either.
  Result<std::vector<std::string>> letters(char first, char last, std::uint64_t step,
                                           std::size_t open) const {
    const bool same = first == last && step == 1;
    const bool good = last > first && step <= static_cast<std::uint64_t>(last - first);
    if (!same && !good) return wrong("bad range", open);
    std::vector<std::string> choices;
    for (std::uint64_t c = static_cast<unsigned char>(first); c <= static_cast<unsigned char>(last);
         c += step)
      choices.emplace_back(1, static_cast<char>(c));
    return choices;
  }

  Result<std::vector<std::string>> numbers(std::string_view first, std::string_view last, std::uint64_t step,
                                           std::size_t open) const {
    const auto from = parse_number<std::uint64_t>(first);
    const auto to = parse_number<std::uint64_t>(last);
    const bool good = from && to && *from <= *to && (*from == *to ? step == 1 : step <= *to - *from);
    if (!good) return wrong("bad range", open);
    if ((*to - *from) / step >= globbed_urls_max)
      return Error(Errc::limit_exceeded, "more than " + std::to_string(globbed_urls_max) + " URLs");
    const std::size_t width = first.size() > 1 && first.front() == '0' ? first.size() : 0;
    std::vector<std::string> choices;
    for (std::uint64_t number = *from;; number += step) {
      std::string text = std::to_string(number);
      if (text.size() < width) text.insert(0, width - text.size(), '0');
      choices.push_back(std::move(text));
      if (*to - number < step) break;
    }
    return choices;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<GlobbedUrl>> glob_url(std::string_view pattern) {
  Result<std::vector<GlobPiece>> pieces = GlobReader(pattern).read();
  if (!pieces) return std::move(pieces).error();
  std::vector<GlobbedUrl> urls(1);
  for (const GlobPiece& piece : *pieces) {
    if (urls.size() * piece.choices.size() > globbed_urls_max)
      return Error(Errc::limit_exceeded, "more than " + std::to_string(globbed_urls_max) + " URLs");
    std::vector<GlobbedUrl> longer;
    for (const GlobbedUrl& begun : urls) {
      for (const std::string& choice : piece.choices) {
        GlobbedUrl& next = longer.emplace_back(begun);
        next.url += choice;
        if (piece.counted) next.values.push_back(choice);
      }
    }
    urls = std::move(longer);
  }
  return urls;
}

std::string with_glob_values(std::string_view name, const std::vector<std::string>& values) {
  std::string filled;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t end = at + 1;
    while (name[at] == '#' && end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
    const auto number = parse_number<std::size_t>(name.substr(at + 1, end - at - 1));
    const bool known = name[at] == '#' && number && *number >= 1 && *number <= values.size();
    filled += known ? values[*number - 1] : std::string(name.substr(at, end - at));
    at = end;
  }
  return filled;
}

}  // namespace escapement
