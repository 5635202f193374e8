// Command line parsing shared by the programs: a mistake is reported in one sentence, with exit code 2.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <escapement/core/detail/number.h>

namespace escapement {

namespace detail {

inline CLI::Validator finite_number(const std::string& kind, bool (*good)(double)) {
  const auto check = [kind, good](std::string& text) {
    const auto value = parse_number<double>(text);
    return value && std::isfinite(*value) && good(*value) ? std::string()
                                                          : '"' + text + "\" is not a " + kind;
  };
  return CLI::Validator(check, "");
}

}  // namespace detail

inline CLI::Validator positive_number() {
  return detail::finite_number("number above 0", [](double value) { return value > 0; });
}

inline CLI::Validator number_from_zero() {
  return detail::finite_number("number of at least 0", [](double value) { return value >= 0; });
}

inline CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto check = [least, most](std::string& text) {
    const auto value = parse_number<std::int64_t>(text);
    if (value && *value >= least && *value <= most) return std::string();
    return '"' + text + "\" is not a whole number from " + std::to_string(least) + " to " +
           std::to_string(most);
  };
  return CLI::Validator(check, "");
}

// Parses the command line. Returns the exit code if the program should end: 0 after --help and --version, 2
// after a mistake. One of `needed` is required, the first of them a positional argument; that all are missing
// is reported only if everything else is valid.
inline std::optional<int> read_command_line(CLI::App& app, int count, char** arguments,
                                            const std::vector<const CLI::Option*>& needed) {
  try {
    app.parse(count, arguments);
    const auto given = [](const CLI::Option* option) { return !option->empty(); };
    if (std::none_of(needed.begin(), needed.end(), given)) {
      throw CLI::RequiredError(needed.front()->get_name());
    }
    for (const std::string& text : needed.front()->results()) {
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
