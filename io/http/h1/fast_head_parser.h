// FastHeadParser: the plain request head, read in one go: what nearly every request begins with.
//
// A second implementation of what llhttp does, for the plainest heads alone. It never refuses anything: what
// it does not take is for llhttp, which stays the one that says what is malformed, and how. What it takes,
// llhttp takes too and reads the same way (tests/io/http/h1/fast_head_parser_test.cpp).
//
// Clients send the same fields with each of their requests, and often all clients of a service do. So fields
// are remembered: what is the same byte for byte, up to the empty line, means the same.

#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

class FastHeadParser {
 public:
  // The size of the head that `text` begins with, if it is plain and there to its end: a usual method, a
  // path, HTTP/1.0 or 1.1, lines that end with CRLF, names that are tokens, values without control
  // characters, one valid Host, no body, no wish to upgrade, nothing beyond `limits`. Only then `head` is
  // filled; its views are good until the next call and as long as `text`. Else 0.
  std::size_t read(std::string_view text, const ParserLimits& limits, MessageHead& head);

 private:
  // What fields mean, but for the version.
  struct Meaning {
    std::size_t size;  // of the block, with the empty line
    std::string_view host;
    bool has_host;
    bool close;
    bool keep_alive;
    bool expects_continue;
  };

  ESC_INLINE bool are_last(std::string_view text) const;
  bool read_fields(std::string_view text, const ParserLimits& limits, MessageHead& head, Meaning& meaning);
  void remember(const Headers& fields, const Meaning& meaning, std::string_view text);
  bool is_host(std::string_view host);

  // The fields that are remembered, in which the host lies.
  Headers last_;
  std::string_view last_text_;  // from the first name to the last value; empty where there are none
  Meaning last_meaning_{};
  unsigned others_ = 0;    // in a row that came instead
  std::string last_host_;  // that was found to be one

  static constexpr std::size_t fields_max = 64;
  std::array<Headers::Place, fields_max> places_;
};

}  // namespace escapement::http::detail
