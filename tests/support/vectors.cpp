#include "support/vectors.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/number.h>
#include <escapement/io/sim/sim.h>
#include <escapement/middleware/presets/stack_text.h>
#include <escapement/timers/sleep.h>

namespace escapement::test {

namespace {

using http::without_white_space;

// Splits at `separator`, but not within backticks or braces.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  int braces = 0;
  for (const char c : text) {
    if (c == '`') quoted = !quoted;
    if (!quoted && c == '{') ++braces;
    if (!quoted && c == '}') --braces;
    if (c == separator && !quoted && braces == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  for (std::string& part : parts) part = std::string(without_white_space(part));
  return parts;
}

// Takes the first word off `text`.
std::string word(std::string_view& text) {
  text = without_white_space(text);
  const std::size_t end = std::min(text.find(' '), text.size());
  std::string word(text.substr(0, end));
  text = without_white_space(text.substr(end));
  return word;
}

// "Name: value & Name: value"
void read_fields(std::string_view text, http::Headers& into) {
  for (const std::string& field : split(text, '&')) {
    const std::size_t colon = field.find(':');
    ESC_CHECK(colon != field.npos, "a field of a vector is 'Name: value'");
    into.add(field.substr(0, colon),
             std::string(without_white_space(std::string_view(field).substr(colon + 1))));
  }
}

// A body in one piece, which is streamed; it may break after that.
class Streamed final : public http::BodySource {
 public:
  Streamed(std::string text, bool breaks, std::optional<std::uint64_t> length)
      : text_(std::move(text)), breaks_(breaks), length_(length) {}
  Task<std::string> read() override {
    if (!text_.empty()) co_return std::exchange(text_, std::string());
    if (breaks_) co_return Error(Errc::reset, "the connection broke in the body");
    co_return std::string();
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::string text_;
  bool breaks_;
  std::optional<std::uint64_t> length_;
};

// One step of the peer: "after 20ms 503 Retry-After: 2 & X: y `body`", "refused", "reset", "error KIND",
// "error KIND unsent", "hang".
class Step {
 public:
  explicit Step(std::string_view text) {
    std::string first = word(text);
    if (first == "after") {
      delay = Duration::nanoseconds(1'000'000 * std::atoll(word(text).c_str()));
      first = word(text);
    }
    if (first == "hang") {
      delay = Duration::max();
      status = 200;
    } else if (first == "refused") {
      error.emplace(Error(Errc::unavailable, "connection refused").nothing_sent());
    } else if (first == "reset") {
      error.emplace(Errc::reset, "connection reset");
    } else if (first == "error") {
      error.emplace(kind(word(text)), "as the vector says");
      if (word(text) == "unsent") error->nothing_sent();
    } else {
      read_response(first, text);
    }
  }

  Duration delay;
  std::optional<Error> error;
  int status = 0;
  http::Headers headers;
  std::string body;
  char end = 0;  // '!': it is streamed and breaks; '~': it is streamed

 private:
  static Errc kind(std::string_view wanted) {
    for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
      if (name(static_cast<Errc>(i)) == wanted) return static_cast<Errc>(i);
    }
    ESC_CHECK(wanted == "the name of an Errc");
    return Errc::internal;
  }
  void read_response(const std::string& number, std::string_view text) {
    const auto read = parse_number<int>(number);
    ESC_CHECK(read, "a step of a vector begins with a status");
    status = *read;
    const std::size_t quote = text.find('`');
    if (quote != text.npos) {
      const std::size_t last = text.rfind('`');
      body = std::string(text.substr(quote + 1, last - quote - 1));
      if (last + 1 < text.size()) end = text[last + 1];
      text = without_white_space(text.substr(0, quote));
    }
    if (!text.empty()) read_fields(text, headers);
  }
};

// A request that the peer has got.
struct Seen {
  double at = 0;  // milliseconds
  std::string what;
  http::Headers headers;
};

struct Peer {
  std::vector<Step> steps;
  std::vector<Seen> seen;
};

Task<http::Response> respond(Peer& peer, Sim& sim, http::Request request) {
  const Step& step = peer.steps[std::min(peer.seen.size(), peer.steps.size() - 1)];
  const std::size_t mine = peer.seen.size();
  const std::string what = std::string(request.method.text()) + ' ' + request.url.text();
  peer.seen.push_back(Seen{sim.elapsed().milliseconds(), what, request.headers});
  if (!step.error || step.error->maybe_sent()) {
    std::string body = co_await request.body.text(1 * MiB);
    if (!body.empty()) peer.seen[mine].what += " +" + body;
  }
  if (step.delay > Duration()) co_await sleep(step.delay);
  if (step.error) co_return *step.error;
  http::Response response(step.status, step.headers, http::Body(step.body));
  if (step.end != 0) {
    const auto length = parse_number<std::uint64_t>(step.headers.get_or("content-length", ""));
    response.body = http::Body(std::make_unique<Streamed>(step.body, step.end == '!', length));
  }
  co_return std::move(response);
}

http::Request read_request(std::string_view text) {
  http::Request request = http::get("http://h/");
  request.method = http::Method(word(text));
  if (text.starts_with("http")) request.url = *http::Url::parse(word(text));
  if (text.starts_with('+')) {
    const std::string body = word(text).substr(1);
    request.body = body == "stream" ? http::Body(std::make_unique<Streamed>(body, false, std::nullopt))
                                    : http::Body(body);
  }
  if (!text.empty()) read_fields(text, request.headers);
  return request;
}

// The outcome of the call, and of reading its body.
struct Outcome {
  std::string told;  // "200", "reset"
  std::string message;
  std::string body;
  double at = 0;
};

Task<Outcome> call(const http::Service& service, http::Request request, Sim& sim) {
  Outcome outcome;
  Result<http::Response> response = co_await service(std::move(request)).result();
  outcome.at = sim.elapsed().milliseconds();
  if (!response) {
    outcome.told = std::string(name(response.error().code()));
    outcome.message = response.error().message();
    co_return std::move(outcome);
  }
  outcome.told = std::to_string(response->status);
  for (;;) {
    Result<std::string> piece = co_await response->body.read().result();
    if (!piece) {
      outcome.told += ' ' + std::string(name(piece.error().code()));
      outcome.message = piece.error().message();
    }
    if (!piece || piece->empty()) break;
    outcome.body += *piece;
  }
  co_return std::move(outcome);
}

std::string number(double value) {
  std::string text = std::to_string(value);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

bool is_time(const std::string& text, double at) {
  const std::size_t dots = text.find("..");
  if (dots == text.npos) return std::atof(text.c_str()) == at;
  return at >= std::atof(text.c_str()) && at <= std::atof(text.c_str() + dots + 2);
}

// Compares one request with "100 GET http://h/ +body {Field: value; -Absent}".
std::string compare(std::string_view expected, const Seen& seen) {
  std::string fields;
  if (const std::size_t brace = expected.find('{'); brace != expected.npos) {
    fields = std::string(expected.substr(brace + 1, expected.rfind('}') - brace - 1));
    expected = without_white_space(expected.substr(0, brace));
  }
  const std::string time = word(expected);
  if (!is_time(time, seen.at)) return "a request at " + number(seen.at) + ", not " + time;
  if (!expected.empty() && expected != seen.what)
    return "'" + seen.what + "', not '" + std::string(expected) + "'";
  if (fields.empty()) return "";
  for (const std::string& field : split(fields, ';')) {
    const std::size_t colon = field.find(':');
    const bool absent = field.starts_with('-');
    const std::string name = absent ? field.substr(1) : field.substr(0, colon);
    const std::string_view value =
        absent ? "" : without_white_space(std::string_view(field).substr(colon + 1));
    if (seen.headers.get_or(name, "") != value) {
      return name + " is '" + std::string(seen.headers.get_or(name, "")) + "' in " + seen.what;
    }
  }
  return "";
}

// Compares the outcome with "200 at 350 `body` ~part of the message".
std::string compare(std::string_view expected, const Outcome& outcome) {
  std::optional<std::string> message;
  std::optional<std::string> body;
  std::optional<std::string> at;
  if (const std::size_t tilde = expected.find('~'); tilde != expected.npos) {
    message = std::string(expected.substr(tilde + 1));
    expected = expected.substr(0, tilde);
  }
  if (const std::size_t quote = expected.find('`'); quote != expected.npos) {
    body = std::string(expected.substr(quote + 1, expected.rfind('`') - quote - 1));
    expected = expected.substr(0, quote);
  }
  if (const std::size_t found = expected.find(" at "); found != expected.npos) {
    at = std::string(without_white_space(expected.substr(found + 4)));
    expected = expected.substr(0, found);
  }
  expected = without_white_space(expected);
  if (expected != outcome.told) return "the outcome is " + outcome.told + ", not " + std::string(expected);
  if (at && !is_time(*at, outcome.at)) return "the outcome came at " + number(outcome.at) + ", not " + *at;
  if (body && *body != outcome.body) return "the body is '" + outcome.body + "'";
  if (message && outcome.message.find(*message) == std::string::npos)
    return "the message is: " + outcome.message;
  return "";
}

}  // namespace

std::vector<Vector> read_vectors(std::string_view text) {
  std::vector<Vector> vectors;
  std::string section;
  std::string stack;
  std::vector<std::string> requests;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = without_white_space(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with("# ") || line.starts_with('>') || line == "#") continue;
    if (line.starts_with("## ")) {
      section = std::string(line.substr(3, line.find(' ', 3) - 3));
    } else if (line.starts_with("stack:")) {
      stack = std::string(without_white_space(line.substr(6)));
    } else if (line.starts_with("requests:")) {
      requests = split(line.substr(9), ';');
    } else {
      const std::vector<std::string> cells = split(line, '|');
      ESC_CHECK(cells.size() == 3 + requests.size(), "a row has a cell for each request");
      for (std::size_t i = 0; i < requests.size(); ++i) {
        if (cells[3 + i] == "-") continue;
        vectors.push_back(Vector{section + ' ' + cells[0] + " (" + cells[1] + "), " + requests[i], stack,
                                 requests[i], cells[2], cells[3 + i]});
      }
    }
  }
  return vectors;
}

std::string play(const Vector& vector) {
  Sim sim;
  Peer peer;
  for (const std::string& step : split(vector.peer, ';')) peer.steps.emplace_back(step);
  const http::Service answers = [&](http::Request request) { return respond(peer, sim, std::move(request)); };
  Result<http::StackText> stack = http::stack_of(vector.stack, answers);
  if (!stack) return stack.error().message();
  const std::size_t equals = vector.expected.rfind(" = ");
  ESC_CHECK(equals != std::string::npos, "an expectation is 'requests = outcome'");
  Result<Outcome> outcome = sim.run(call(stack->service, read_request(vector.request), sim));
  if (!outcome) return outcome.error().message();
  const std::vector<std::string> expected = split(vector.expected.substr(0, equals), ',');
  if (expected.size() != peer.seen.size()) {
    std::string times;
    for (const Seen& seen : peer.seen) times += ' ' + number(seen.at);
    return "the peer got requests at" + times;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::string fault = compare(expected[i], peer.seen[i]); !fault.empty()) return fault;
  }
  return compare(std::string_view(vector.expected).substr(equals + 3), *outcome);
}

}  // namespace escapement::test
