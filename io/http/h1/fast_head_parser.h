// FastHeadParser: reads a plain request head, which nearly every request has, in one go.
//
// A second implementation of llhttp's work, for the plainest heads alone. It never refuses anything: a head
// that it does not take is left to llhttp, which says whether and why it is malformed. A head that it takes,
// llhttp takes as well and reads the same way (tests/io/http/h1/fast_head_parser_test.cpp); the rules beside
// llhttp are in rules.h.
//
// Clients send the same fields with each of their requests, and often all clients of a service do. So the
// last fields are remembered: if the next ones are the same byte for byte, up to the empty line, they mean
// the same.

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
  // Returns the size of the head that `text` begins with, and fills `head`, if it is plain and complete: a
  // usual method, a path, HTTP/1.0 or 1.1, lines that end with CRLF, names that are tokens, values without
  // control characters, one valid Host, no body, no offer to upgrade, nothing beyond `limits`. The views of
  // `head` are valid until the next call and as long as `text`. Else returns 0.
  std::size_t read(std::string_view text, const ParserLimits& limits, MessageHead& head);

 private:
  // The meaning of a block of fields, in which the version has no part.
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
