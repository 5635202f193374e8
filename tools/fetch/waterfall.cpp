#include "tools/fetch/waterfall.h"

#include <algorithm>
#include <cstdio>

namespace escapement {

namespace {

struct Phase {
  std::string name;
  Instant begin;
  Instant end;
  std::string detail;
};

std::vector<Phase> phases_of(const Story& story) {
  std::vector<Phase> phases;
  for (std::size_t i = 0; i < story.attempts.size(); ++i) {
    const Attempt& attempt = story.attempts[i];
    const Instant ended = attempt.ended == Instant::never() ? story.ended : attempt.ended;
    Instant sent = attempt.began;
    if (attempt.connect_began != Instant::never()) {
      if (attempt.connect_began > sent) phases.push_back({"queue", sent, attempt.connect_began, ""});
      sent = attempt.connected == Instant::never() ? ended : attempt.connected;
      phases.push_back({"connect", attempt.connect_began, sent, attempt.peer});
    }
    if (attempt.encrypted != Instant::never()) {
      phases.push_back({"tls", sent, attempt.encrypted, ""});
      sent = attempt.encrypted;
    }
    if (sent < ended || attempt.connect_began == Instant::never()) {
      phases.push_back({"wait", sent, ended, attempt.what + "  " + attempt.outcome});
    } else {
      phases.back().detail = attempt.what + "  " + attempt.outcome;
    }
    if (i + 1 < story.attempts.size() && attempt.pause > Duration()) {
      phases.push_back({"pause", ended, story.attempts[i + 1].began, ""});
    }
  }
  if (story.body_began != Instant::never()) {
    const std::string bytes = std::to_string(story.bytes) + (story.bytes == 1 ? " byte" : " bytes");
    phases.push_back({"body", story.body_began, story.ended, bytes});
  }
  return phases;
}

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string milliseconds(Instant from, Instant to) {
  return number("%.3f ms", to == Instant::never() ? 0 : (to - from).milliseconds());
}

std::string connection_of(const Attempt& attempt) {
  if (attempt.connect_began == Instant::never()) return "over a kept connection";
  if (attempt.connected == Instant::never()) {
    return "a connection was tried for " + milliseconds(attempt.connect_began, attempt.ended);
  }
  std::string text = "over a new connection to " + attempt.peer + ", made in " +
                     milliseconds(attempt.connect_began, attempt.connected);
  if (attempt.encrypted != Instant::never()) {
    text += " and encrypted in " + milliseconds(attempt.connected, attempt.encrypted);
  }
  return text;
}

std::string limit(const char* name, const std::optional<double>& value) {
  return std::string(name) + (value ? number(" %g s", *value) : " none");
}

}  // namespace

std::string waterfall(const Story& story) {
  constexpr double columns = 40;
  const double whole = std::max((story.ended - story.began).milliseconds(), 0.000001);
  std::string text;
  for (const Phase& phase : phases_of(story)) {
    const double begin = (phase.begin - story.began).milliseconds();
    const double end = std::max((phase.end - story.began).milliseconds(), begin);
    const auto from = std::min<std::size_t>(static_cast<std::size_t>(begin / whole * columns), 39);
    const auto to =
        std::clamp<std::size_t>(static_cast<std::size_t>(end / whole * columns + 0.5), from + 1, 40);
    char head[64];
    std::snprintf(head, sizeof head, "%10.3f ms %10.3f ms  %-7s  |", begin, end, phase.name.c_str());
    text += head + std::string(from, ' ') + std::string(to - from, '=') + std::string(40 - to, ' ') + "|  " +
            phase.detail;
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  return text;
}

std::string explanation(const Story& story, const FetchOptions& options, const std::string& outcome) {
  std::string text = story.url + '\n';
  for (std::size_t i = 0; i < story.attempts.size(); ++i) {
    const Attempt& attempt = story.attempts[i];
    text += "  " + std::to_string(i + 1) + ". " + attempt.what + ": " + connection_of(attempt) + "; " +
            attempt.outcome + " after " + milliseconds(attempt.began, attempt.ended) + '\n';
    const bool last = i + 1 == story.attempts.size();
    if (!last && attempt.pause == Duration())
      text += "     the next one follows a redirect, or waits for nothing\n";
    if (attempt.pause > Duration()) {
      text += "     that may be temporary: it is tried again after " +
              number("%.3f ms", attempt.pause.milliseconds()) + '\n';
    }
  }
  if (story.retries > 0 || options.retries > 0) {
    text += "  retries: " + std::to_string(story.retries) + " of " + std::to_string(options.retries) + '\n';
  }
  if (story.body_began != Instant::never()) {
    text += "  body: " + std::to_string(story.bytes) + " bytes in " +
            milliseconds(story.body_began, story.ended) + '\n';
  }
  text += "  outcome: " + outcome + ", in " + milliseconds(story.began, story.ended) + '\n';
  return text + "  limits: " + limit("connect", options.connect_seconds.value_or(default_connect_seconds)) +
         ", " + limit("attempt", options.try_seconds) + ", " +
         limit("all of an attempt", options.max_seconds) + '\n';
}

}  // namespace escapement
