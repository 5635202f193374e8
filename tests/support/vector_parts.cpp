#include "support/vector_parts.h"

#include <algorithm>
#include <cstdlib>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement::test {

using http::without_white_space;

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

std::vector<std::string> split_at_word(std::string_view text, std::string_view word) {
  const std::string separator = ' ' + std::string(word) + ' ';
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(without_white_space(text.substr(0, at)));
    if (at == text.npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

std::string word(std::string_view& text) {
  text = without_white_space(text);
  const std::size_t end = std::min(text.find(' '), text.size());
  std::string word(text.substr(0, end));
  text = without_white_space(text.substr(end));
  return word;
}

Duration length_of(std::string_view text) {
  if (text == "hang") return Duration::max();
  Duration unit = 1ms;
  for (const auto& [name, length] :
       {std::pair<std::string_view, Duration>("ms", 1ms), {"min", 60s}, {"s", 1s}, {"h", 1h}}) {
    if (!text.ends_with(name)) continue;
    unit = length;
    text.remove_suffix(name.size());
    break;
  }
  const auto count = parse_number<std::int64_t>(text);
  ESC_CHECK(count, "a time of a vector is a number, with or without a unit");
  return unit * *count;
}

void read_fields(std::string_view text, http::Headers& into) {
  for (const std::string& field : split(text, '&')) {
    const std::size_t colon = field.find(':');
    ESC_CHECK(colon != field.npos, "a field of a vector is 'Name: value'");
    into.add(field.substr(0, colon),
             std::string(without_white_space(std::string_view(field).substr(colon + 1))));
  }
}

std::string number(double value) {
  std::string text = std::to_string(value);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

Task<std::string> Streamed::read() {
  if (!text_.empty()) co_return std::exchange(text_, std::string());
  if (breaks_) co_return Error(Errc::reset, "the connection broke in the body");
  co_return std::string();
}

namespace {

Errc kind(std::string_view wanted) {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    if (name(static_cast<Errc>(i)) == wanted) return static_cast<Errc>(i);
  }
  ESC_CHECK(wanted == "the name of an Errc");
  return Errc::internal;
}

void read_response(ScriptedAnswer& step, const std::string& number, std::string_view text) {
  const auto read = parse_number<int>(number);
  ESC_CHECK(read, "a step of a vector begins with a status");
  step.status = *read;
  const std::size_t quote = text.find('`');
  if (quote != text.npos) {
    const std::size_t last = text.rfind('`');
    step.body = std::string(text.substr(quote + 1, last - quote - 1));
    if (last + 1 < text.size()) step.end = text[last + 1];
    text = without_white_space(text.substr(0, quote));
  }
  if (!text.empty()) read_fields(text, step.headers);
}

}  // namespace

ScriptedAnswer::ScriptedAnswer(std::string_view text) {
  std::string first = word(text);
  if (first == "after") {
    delay = length_of(word(text));
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
    read_response(*this, first, text);
  }
}

namespace {

// One call of a vector.
struct Call {
  Duration at = Duration::max();      // when it begins; max(): after the one before it
  Duration cancel = Duration::max();  // after that it is given up
  bool drop = false;                  // its response is dropped unread
  std::string request;
};

std::vector<Call> read_calls(std::string_view text) {
  std::vector<Call> calls;
  for (const std::string& each : split_at_word(text, "then")) {
    std::string_view rest = each;
    Call call;
    int times = 1;
    for (;;) {
      call.request = std::string(rest);
      const std::string first = word(rest);
      if (first.starts_with("at=")) {
        call.at = length_of(std::string_view(first).substr(3));
      } else if (first.starts_with("cancel=")) {
        call.cancel = length_of(std::string_view(first).substr(7));
      } else if (first == "drop") {
        call.drop = true;
      } else if (first.ends_with('*')) {
        times = std::atoi(first.c_str());
      } else {
        break;
      }
    }
    calls.insert(calls.end(), static_cast<std::size_t>(times), call);
  }
  return calls;
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

void note(Outcome& outcome, const Error& error) {
  if (!outcome.told.empty()) outcome.told += ' ';
  outcome.told += name(error.code());
  outcome.sent = error.maybe_sent() ? "sent" : "unsent";
  outcome.limit = name(error.limit());
  outcome.message = error.message();
}

Task<Outcome> make_call(const http::Service& service, http::Request request, bool drop, Sim& sim) {
  Outcome outcome;
  Result<http::Response> response = co_await service(std::move(request)).result();
  outcome.at = sim.elapsed().milliseconds();
  if (!response) {
    note(outcome, response.error());
    co_return std::move(outcome);
  }
  outcome.told = std::to_string(response->status);
  while (!drop) {
    Result<std::string> piece = co_await response->body.read().result();
    if (!piece) note(outcome, piece.error());
    if (!piece) outcome.at = sim.elapsed().milliseconds();
    if (!piece || piece->empty()) break;
    outcome.body += *piece;
  }
  co_return std::move(outcome);
}

Task<> make_call_in_time(const http::Service& service, const Call& call, Sim& sim, Outcome& into) {
  if (call.at != Duration::max()) co_await sleep(call.at - sim.elapsed());
  Task<Outcome> making = make_call(service, read_request(call.request), call.drop, sim);
  Result<Outcome> outcome = co_await with_timeout(call.cancel, std::move(making)).result();
  if (outcome) into = *std::move(outcome);
  if (!outcome) into.told = "cancelled";
  if (!outcome) into.at = sim.elapsed().milliseconds();
}

}  // namespace

Task<std::vector<Outcome>> make_calls(const http::Service& service, std::string_view text, Sim& sim) {
  const std::vector<Call> calls = read_calls(text);
  std::vector<Outcome> outcomes(calls.size());
  Scope scope(sim.reactor());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Task<> call = make_call_in_time(service, calls[i], sim, outcomes[i]);
    if (calls[i].at != Duration::max()) {
      scope.spawn(std::move(call));
    } else {
      co_await std::move(call);
    }
  }
  co_await scope.join();
  co_return std::move(outcomes);
}

namespace {

bool is_time(const std::string& text, double at) {
  const std::size_t dots = text.find("..");
  if (dots == text.npos) return std::atof(text.c_str()) == at;
  return at >= std::atof(text.c_str()) && at <= std::atof(text.c_str() + dots + 2);
}

// Compares one request with "100 GET http://h/ +body {Field: value; -Absent}". "#2" alone, before the rest,
// is the connection.
std::string compare(std::string_view expected, const Seen& seen) {
  std::string fields;
  if (const std::size_t brace = expected.find('{'); brace != expected.npos) {
    fields = std::string(expected.substr(brace + 1, expected.rfind('}') - brace - 1));
    expected = without_white_space(expected.substr(0, brace));
  }
  const std::string time = word(expected);
  if (!is_time(time, seen.at)) return "'" + seen.what + "' at " + number(seen.at) + ", not " + time;
  std::string_view what = seen.what;
  if (what.starts_with('#') && (expected.find(' ') == expected.npos || !expected.starts_with('#'))) {
    const std::string connection = word(what);
    if (expected.starts_with('#') && expected != connection)
      return "'" + seen.what + "' on another connection";
    if (expected.starts_with('#')) expected = {};
  }
  if (!expected.empty() && expected != what)
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

// Compares an outcome with "200 at 350 `body` ~part of the message", or "timed_out queue unsent at 20".
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
  std::string told(without_white_space(expected));
  if (told == "any") return "";
  for (const std::string& more : {outcome.sent, outcome.limit}) {
    if (!more.empty() && told.ends_with(' ' + more)) told.resize(told.size() - more.size() - 1);
  }
  if (told != outcome.told)
    return "the outcome is '" + outcome.told + ' ' + outcome.limit + ' ' + outcome.sent + "', not '" + told +
           "': " + outcome.message;
  if (at && !is_time(*at, outcome.at)) return "the outcome came at " + number(outcome.at) + ", not " + *at;
  if (body && *body != outcome.body) return "the body is '" + outcome.body + "'";
  if (message && outcome.message.find(*message) == std::string::npos)
    return "the message is: " + outcome.message;
  return "";
}

// "120 requests", or of those to some host "100 requests to b".
std::optional<std::string> compare_count(std::string_view expected, const std::vector<Seen>& seen) {
  if (expected.find(" requests") == expected.npos) return std::nullopt;
  for (const std::string& part : split(expected, ',')) {
    std::string_view rest = part;
    const std::string wanted = word(rest);
    word(rest);  // "requests"
    word(rest);  // "to"
    const std::string url = rest.empty() ? "" : " http://" + std::string(rest) + "/";
    const auto count = std::count_if(seen.begin(), seen.end(), [&](const Seen& each) {
      return url.empty() || each.what.find(url) != each.what.npos;
    });
    if (!is_time(wanted, static_cast<double>(count)))
      return std::to_string(count) + " requests, not " + std::string(part);
  }
  return "";
}

std::string compare_seen(std::string_view text, const std::vector<Seen>& seen) {
  if (std::optional<std::string> counted = compare_count(text, seen)) return *std::move(counted);
  const std::vector<std::string> expected = text == "none" ? std::vector<std::string>() : split(text, ',');
  if (expected.size() != seen.size()) {
    std::string times;
    for (const Seen& each : seen) times += "\n    " + number(each.at) + ' ' + each.what;
    return "the peer got" + (times.empty() ? " nothing" : times);
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::string fault = compare(expected[i], seen[i]); !fault.empty()) return fault;
  }
  return "";
}

}  // namespace

std::string compare_all(std::string_view expected, const std::vector<Seen>& seen,
                        const std::vector<Outcome>& outcomes) {
  const std::size_t equals = expected.rfind(" = ");
  ESC_CHECK(equals != std::string::npos, "an expectation is 'requests = outcome'");
  if (std::string fault = compare_seen(expected.substr(0, equals), seen); !fault.empty()) return fault;
  const std::vector<std::string> told = split_at_word(expected.substr(equals + 3), "then");
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const std::string fault = compare(told[std::min(i, told.size() - 1)], outcomes[i]);
    if (!fault.empty()) return "call " + std::to_string(i + 1) + ": " + fault;
  }
  return told.size() > outcomes.size() ? "fewer outcomes than expected" : "";
}

}  // namespace escapement::test
