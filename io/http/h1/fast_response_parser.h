// FastResponseParser: reads a plain response that has arrived as a whole, with its body, in one go.
//
// A second implementation of llhttp's work, for the plainest responses alone, as FastHeadParser is for
// requests: it never refuses anything, but leaves to llhttp what it does not take, and what it takes, llhttp
// takes as well and reads the same way (tests/io/http/h1/fast_response_parser_test.cpp).
//
// A server sends the same fields again and again, but for Date, which changes once a second. So the last
// fields are remembered: if the next ones are the same byte for byte, they mean the same.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

class FastResponseParser {
 public:
  // Returns the size of the response that `text` begins with, and fills `head` and `body`, if it is plain and
  // complete: HTTP/1.0 or 1.1, a final status that lets a body follow, lines that end with CRLF, names that
  // are tokens, values without control characters, one Content-Length and no Transfer-Encoding, nothing
  // beyond `limits`, and so many bytes of body as it says. Else returns 0. `body` lies in `text`.
  std::size_t read(std::string_view text, const ParserLimits& limits, MessageHead& head,
                   std::string_view& body);

 private:
  // The meaning of a block of fields, in which the version has no part.
  struct Meaning {
    std::size_t size;  // of the block, with the empty line
    std::uint64_t length;
    bool close;
    bool keep_alive;
    bool upgrade;
  };

  ESC_INLINE bool are_last(std::string_view text) const;
  bool read_fields(std::string_view text, const ParserLimits& limits, MessageHead& head, Meaning& meaning);
  void remember(const Headers& fields, const Meaning& meaning);

  Headers last_;                // the fields that are remembered
  std::string_view last_text_;  // from the first name to the last value; empty where there are none
  Meaning last_meaning_{};
  unsigned others_ = 0;  // in a row that came instead

  static constexpr std::size_t fields_max = 64;
  std::array<Headers::Place, fields_max> places_;
};

}  // namespace escapement::http::detail
