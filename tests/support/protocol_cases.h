// Reads the protocol cases of tests/cases/http/*.md, which say themselves how they are written. CMake puts
// the files into the test program, so that they are there in every home.

#pragma once

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/detail/check.h>
#include <escapement/io/http/h1/parser.h>

namespace escapement::test {

struct ProtocolCase {
  std::string what;      // "Chunks: a size that is none"
  std::string bytes;     // what is sent
  std::string expected;  // what the parser says
  bool cut = false;      // the input ends there: no canary behind it
  bool small_limits = false;
  bool answers_head = false;
};

// The limits for the cases with `small_limits`.
inline http::ParserLimits small_limits() {
  http::ParserLimits limits;
  limits.head_bytes_max = 200;
  limits.header_count_max = 3;
  limits.body_bytes_max = 10;
  return limits;
}

// The text of tests/cases/http/NAME.md.
std::string_view protocol_cases_text(std::string_view name);

// "a\r\n{x * 3}" as bytes.
inline std::string unescaped(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '{') {
      const std::size_t end = text.find('}');
      const std::size_t star = text.rfind(" * ", end);
      ESC_CHECK(end != text.npos && star != text.npos);
      const std::string once = unescaped(text.substr(0, star));
      const int times = std::atoi(std::string(text.substr(star + 3, end - star - 3)).c_str());
      for (int i = 0; i < times; ++i) bytes += once;
      text.remove_prefix(end + 1);
    } else if (c == '\\') {
      const char kind = text.front();
      text.remove_prefix(1);
      int value = 0;
      if (kind == 'x') {
        std::from_chars(text.data(), text.data() + 2, value, 16);
        text.remove_prefix(2);
      }
      const std::size_t known = std::string_view("rnt0\\").find(kind);
      ESC_CHECK(kind == 'x' || known != std::string_view::npos);
      bytes += kind == 'x' ? static_cast<char>(value) : "\r\n\t\0\\"[known];
    } else {
      bytes += c;
    }
  }
  return bytes;
}

inline std::vector<ProtocolCase> read_protocol_cases(std::string_view text) {
  std::vector<ProtocolCase> cases;
  std::string section;
  bool in_block = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line == "```") {
      in_block = !in_block;
    } else if (in_block) {
      cases.back().bytes += unescaped(line);
    } else if (line.starts_with("### ")) {
      cases.emplace_back().what = section + ": " + std::string(line.substr(4));
    } else if (line.starts_with("## ")) {
      section = line.substr(3);
    } else if (line.starts_with("`") && !cases.empty()) {
      const std::size_t close = line.rfind('`');
      const std::string_view marks = line.substr(close);
      cases.back().expected = unescaped(line.substr(1, close - 1));
      cases.back().cut = marks.find("cut") != marks.npos;
      cases.back().small_limits = marks.find("small limits") != marks.npos;
      cases.back().answers_head = marks.find("answers HEAD") != marks.npos;
    }
  }
  return cases;
}

}  // namespace escapement::test
