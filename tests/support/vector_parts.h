// Shared by the players of vectors: the words of a vector, calls and their outcomes, and what a peer has
// seen.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/io/sim/sim.h>

#include "support/vectors.h"

namespace escapement::test {

// Splits at `separator`, but not within backticks or braces.
std::vector<std::string> split(std::string_view text, char separator);
// The same at " word ".
std::vector<std::string> split_at_word(std::string_view text, std::string_view word);
// Takes the first word off `text`.
std::string word(std::string_view& text);
// "20", "250ms", "10s", "5min", "hang" (Duration::max()). Milliseconds if there is no unit.
Duration length_of(std::string_view text);
// "Name: value & Name: value"
void read_fields(std::string_view text, http::Headers& into);
// Milliseconds, without zeros at the end.
std::string number(double value);

// A body in one piece, which is streamed; it may break after that.
class Streamed final : public http::BodySource {
 public:
  Streamed(std::string text, bool breaks, std::optional<std::uint64_t> length)
      : text_(std::move(text)), breaks_(breaks), length_(length) {}
  Task<std::string> read() override;
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::string text_;
  bool breaks_;
  std::optional<std::uint64_t> length_;
};

// A response of a peer, or its failure: "after 20 503 Retry-After: 2 & X: y `body`", "refused", "reset",
// "error KIND", "error KIND unsent", "hang".
class ScriptedAnswer {
 public:
  explicit ScriptedAnswer(std::string_view text);

  Duration delay;
  std::optional<Error> error;
  int status = 0;
  http::Headers headers;
  std::string body;
  char end = 0;  // '!': it is streamed and breaks; '~': it is streamed
};

// Something that a peer has got, most often a request.
struct Seen {
  Seen(double t, std::string w, http::Headers h = {}) : at(t), what(std::move(w)), headers(std::move(h)) {}
  double at;  // milliseconds
  std::string what;
  http::Headers headers;
};

// The outcome of a call, and of reading its body.
struct Outcome {
  std::string told;     // "200", "reset", "timed_out"
  std::string sent;     // "sent" or "unsent", of an error
  std::string limit;    // the time limit of an error
  std::string message;  // of an error
  std::string body;
  double at = 0;
};

// Makes the calls of a vector's request: "GET", "GET then POST +b", "at=50 GET", "cancel=20 GET", "drop GET",
// "20* GET". Each begins when the one before it has ended, or at its own time.
Task<std::vector<Outcome>> make_calls(const http::Service& service, std::string_view calls, Sim& sim);

// Returns what is wrong with what the peer has seen and how the calls ended; empty if nothing is.
std::string compare_all(std::string_view expected, const std::vector<Seen>& seen,
                        const std::vector<Outcome>& outcomes);

// Players of vectors whose stack ends with the word of that name.
std::string play_client(const Vector& vector, std::string_view layers, std::string_view settings);
std::string play_server(const Vector& vector, std::string_view settings);
std::string play_addresses(const Vector& vector, std::string_view settings);

}  // namespace escapement::test
