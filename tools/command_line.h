// What the programs ask of their command lines, and say when they do not get it: one sentence, exit code 2.

#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

namespace escapement {

namespace detail {

inline CLI::Validator finite_number(const std::string& kind, bool (*good)(double)) {
  const auto check = [kind, good](std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const std::from_chars_result read = std::from_chars(text.data(), end, value);
    const bool number = read.ec == std::errc() && read.ptr == end && std::isfinite(value);
    return number && good(value) ? std::string() : '"' + text + "\" is no " + kind;
  };
  return CLI::Validator(check, "");
}

}  // namespace detail

inline CLI::Validator positive_number() {
  return detail::finite_number("number above 0", [](double value) { return value > 0; });
}

inline CLI::Validator number_from_zero() {
  return detail::finite_number("number from 0 on", [](double value) { return value >= 0; });
}

inline CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto check = [least, most](std::string& text) {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const std::from_chars_result read = std::from_chars(text.data(), end, value);
    const bool number = read.ec == std::errc() && read.ptr == end;
    if (number && value >= least && value <= most) return std::string();
    return '"' + text + "\" is no whole number from " + std::to_string(least) + " to " + std::to_string(most);
  };
  return CLI::Validator(check, "");
}

// Reads the command line. Yields the exit code when the program is to end: 0 after --help and --version, 2
// after a mistake. `needed`, a positional argument, is asked for only when everything else is understood.
inline std::optional<int> read_command_line(CLI::App& app, int count, char** arguments,
                                            const CLI::Option& needed) {
  try {
    app.parse(count, arguments);
    if (needed.empty()) throw CLI::RequiredError(needed.get_name());
    for (const std::string& text : needed.results()) {
      if (text.starts_with('-')) throw CLI::ExtrasError({text});  // "-9" could have been a number
    }
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "%s: %s (try --help)\n", app.get_name().c_str(), error.what());
    return 2;
  }
  return std::nullopt;
}

}  // namespace escapement
